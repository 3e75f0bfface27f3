"""A proof (docs/contracts/proof.schema.json): an export was restored into an empty database and compared."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from export_contracts.fields import Fields, identifier, names, parse, refuse, text, to_json, truth, whole

FORMAT_VERSION = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Proof:
    """What became of the trial. Times are ISO 8601, UTC; ``contents`` are tables whose rows were compared and equal."""

    export_id: str
    restorable: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    started_at: str
    finished_at: str
    tables: int
    rows: int
    contents: int
    constraints: int
    sequences: int

    @property
    def finished(self) -> datetime:
        """When it was known, UTC."""
        return datetime.strptime(self.finished_at, _TIME).replace(tzinfo=UTC)

    @classmethod
    def from_bytes(cls, body: bytes) -> "Proof":
        """Return the proof that an object holds.

        Raises:
            DocumentError: see ``from_json``; also when it is truncated.
        """
        return cls.from_json(parse(body))

    @classmethod
    def from_json(cls, content: object) -> "Proof":
        """Return the proof that a document describes.

        Raises:
            DocumentError: naming the field, its value and what is allowed; also when it contradicts itself.
        """
        fields = Fields(content)
        fields.required("format_version", _format_version)
        proof = cls(
            export_id=fields.required("export_id", identifier),
            restorable=fields.required("restorable", truth),
            problems=fields.required("problems", names),
            notes=fields.required("notes", names),
            started_at=fields.required("started_at", _moment),
            finished_at=fields.required("finished_at", _moment),
            tables=fields.required("tables", whole),
            rows=fields.required("rows", whole),
            contents=fields.required("contents", whole),
            constraints=fields.required("constraints", whole),
            sequences=fields.required("sequences", whole),
        )
        if proof.restorable == bool(proof.problems):
            refuse("restorable", proof.restorable, "true without problems, false with problems")
        return proof

    def to_json(self) -> dict[str, Any]:
        """Return the proof as the contract has it."""
        return {"format_version": FORMAT_VERSION, **to_json(self)}

    def to_bytes(self) -> bytes:
        """Return the content of its object."""
        return json.dumps(self.to_json(), ensure_ascii=False).encode()


def _format_version(value: object, where: str) -> int:
    if value != FORMAT_VERSION or isinstance(value, bool | float):
        refuse(where, value, str(FORMAT_VERSION))
    return FORMAT_VERSION


def _moment(value: object, where: str) -> str:
    moment = text(value, where)
    try:
        same = datetime.strptime(moment, _TIME).replace(tzinfo=UTC).strftime(_TIME) == moment
    except ValueError:
        same = False
    if not same:
        refuse(where, value, "a time in UTC such as 2026-12-11T14:30:22Z")
    return moment
