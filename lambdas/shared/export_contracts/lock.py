"""The lock (docs/contracts/export_lock.schema.json): which execution exports the environment, and what it brings."""

import json
from dataclasses import dataclass
from typing import Any, Self

from export_contracts.coverage import Coverage


@dataclass(frozen=True)
class ExportLock:
    """The lock while an execution holds it.

    ``export_id`` and ``coverage`` are None where they are not said. A Glue run that takes the lock over after a redrive
    knows only its own group and leaves out what its export was asked for, and so did older versions.
    """

    execution_arn: str
    export_id: str | None = None
    coverage: Coverage | None = None

    @classmethod
    def from_json(cls, text: bytes) -> Self | None:
        """Return the lock; None when nobody holds it: released, or not the JSON that this project writes."""
        try:
            content: Any = json.loads(text)
        except (ValueError, RecursionError):
            return None
        arn = content.get("execution_arn") if isinstance(content, dict) else None
        if not (isinstance(arn, str) and arn):
            return None
        export_id = content.get("export_id")
        return cls(arn, export_id if isinstance(export_id, str) else None, Coverage.of(content))

    def to_json(self) -> bytes:
        """Return the lock as the contract has it."""
        export_id = {} if self.export_id is None else {"export_id": self.export_id}
        coverage = {} if self.coverage is None else self.coverage.to_json()
        return json.dumps({"execution_arn": self.execution_arn, **export_id, **coverage}).encode()


def released_lock(execution_arn: str) -> bytes:
    """Return what an execution leaves that lets others export although it has not ended."""
    return json.dumps({"released_by": execution_arn}).encode()
