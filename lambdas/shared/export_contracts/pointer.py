"""The pointer latest.json (docs/contracts/latest.schema.json): the newest export that is COMPLETE and full."""

import json
from dataclasses import dataclass

from export_contracts.fields import Fields, filled, identifier, parse, text, to_json


@dataclass(frozen=True)
class Pointer:
    """Where an export's summary is, and when that was written (ISO 8601, UTC)."""

    export_id: str
    summary_key: str
    finished_at: str

    @classmethod
    def from_bytes(cls, body: bytes) -> "Pointer":
        """Return the pointer that an object holds.

        Raises:
            DocumentError: see ``from_json``; also when it is truncated.
        """
        return cls.from_json(parse(body))

    @classmethod
    def from_json(cls, content: object) -> "Pointer":
        """Return the pointer that a document describes.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = Fields(content)
        return cls(
            export_id=fields.required("export_id", identifier),
            summary_key=fields.required("summary_key", filled),
            finished_at=fields.required("finished_at", text),
        )

    def to_json(self) -> dict[str, str]:
        """Return the pointer as the contract has it."""
        return dict(to_json(self))

    def to_bytes(self) -> bytes:
        """Return the content of its object."""
        return json.dumps(self.to_json()).encode()
