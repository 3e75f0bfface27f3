"""One proof: an export is restored into an empty database, which is then compared with what the export recorded."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from metadata_restore.database import Address, begin, rollback
from metadata_restore.errors import ObjectsUnavailableError, RestoreError, TargetError, UncertainError
from metadata_restore.objects import Objects
from metadata_restore.plan import RestorePlan

from metadata_proof.checks import check
from metadata_proof.errors import ProofError

FORMAT_VERSION = 1
Restore = Callable[[Address, Objects, RestorePlan], Mapping[str, int]]
"""restores into an empty database, and returns how many orphans of each table were left out"""


@dataclass(frozen=True)
class Proof:
    """Whether an export restores (docs/contracts/proof.schema.json); ``problems`` is empty when it does.

    Args:
        notes: what could not be compared, and what was not exported.
        contents: tables whose content equals what the export recorded.
    """

    export_id: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    started: datetime
    finished: datetime
    tables: int
    rows: int
    contents: int
    constraints: int
    sequences: int

    @property
    def restorable(self) -> bool:
        """Whether everything that was exported came back."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the proof as its contract has it."""
        return {
            "format_version": FORMAT_VERSION,
            "export_id": self.export_id,
            "restorable": self.restorable,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "started_at": _iso(self.started),
            "finished_at": _iso(self.finished),
            "tables": self.tables,
            "rows": self.rows,
            "contents": self.contents,
            "constraints": self.constraints,
            "sequences": self.sequences,
        }


def prove(
    plan: RestorePlan,
    objects: Objects,
    scratch: Callable[[], AbstractContextManager[Address]],
    restore: Restore,
    watch: Callable[[str], None] = lambda table: None,
) -> Proof:
    """Try an export.

    Args:
        scratch: gives an empty database for the time of the proof.
        watch: is told which table is being compared.

    Raises:
        ProofError: nothing is known of the export, since the store or the scratch database is not able to answer.
    """
    started = datetime.now(UTC)
    with scratch() as address:
        try:
            left_out = restore(address, objects, plan)
            with address.connected() as connection:
                begin(connection, read_only=True)
                found = check(connection, plan, left_out, watch)
                rollback(connection)
        except ObjectsUnavailableError as error:
            raise ProofError(str(error)) from error
        except RestoreError as error:
            if isinstance(error, UncertainError) or (isinstance(error, TargetError) and error.unable):
                raise ProofError(
                    f"{error}. The PostgreSQL of the proof was not able to (is the disk full?): nothing is known of "
                    f"the export {plan.export_id}. Try again"
                ) from error
            problem = f"it does not restore: {error}"
            return Proof(plan.export_id, (problem,), (), started, datetime.now(UTC), 0, 0, 0, 0, 0)
    return Proof(
        export_id=plan.export_id,
        problems=found.problems,
        notes=found.notes,
        started=started,
        finished=datetime.now(UTC),
        tables=len(found.rows),
        rows=sum(found.rows.values()),
        contents=found.contents,
        constraints=found.constraints,
        sequences=found.sequences,
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
