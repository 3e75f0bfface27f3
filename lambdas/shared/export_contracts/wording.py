"""How people are told what an export lacks, and how old the last good one is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from export_runtime.errors import ExportError
from export_runtime.figures import counted, duration
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from export_contracts.findings import FailedGroup
from export_contracts.layout import started_at
from export_contracts.past_exports import read_pointer
from export_contracts.summary import Summary

NAMES_SHOWN = 12
_GROUPS_IN_FULL = 2


@dataclass(frozen=True)
class LastComplete:
    """The export that latest.json names: the newest that is COMPLETE and full. ``is_known``: S3 has said which."""

    export_id: str | None = None
    is_known: bool = True

    def age_seconds(self, now: datetime) -> float | None:
        """Return how long ago it started; None: there is none, or it is not known."""
        try:
            return (now - started_at(self.export_id)).total_seconds() if self.export_id else None
        except ValueError:
            return None

    def words(self, now: datetime) -> str:
        """Return it for a subject, in at most 30 characters: ``last complete 9 h ago``."""
        age = self.age_seconds(now)
        if age is not None:
            return f"last complete {ago(age)}"
        return "last complete not known" if self.export_id or not self.is_known else "none complete yet"


def ago(seconds: float) -> str:
    """Return how long ago something was, in the larger unit alone: ``9 h ago``."""
    return f"{' '.join(duration(max(seconds, 0)).split()[:2])} ago" if seconds >= 60 else "just now"


def find_last_complete(store: ObjectStore, latest_key: str) -> LastComplete:
    """Return what latest.json names. It is for a message: what S3 refuses or has damaged is no error."""
    try:
        pointer = read_pointer(store, latest_key)
    except ExportError:
        return LastComplete(is_known=False)
    return LastComplete(pointer.export_id if pointer else None)


def what_is_missing(summary: Summary) -> str:
    """Return what an INCOMPLETE export lacks: ``tasks (2 of 11 tables) missing``."""
    failed = summary.failed_groups
    lacking = [group for group in failed if group.tables]
    if not lacking:
        return f"{named(group.group for group in failed)} failed"
    if len(lacking) <= _GROUPS_IN_FULL:
        return f"{', '.join(_lacking(group, summary) for group in lacking)} missing"
    missing = sum(len(group.tables) for group in lacking)
    return f"{counted(missing, 'table')} of {len(lacking)} groups missing"


def named(names: Iterable[str]) -> str:
    """Return foreign names on one line, the first of them in full."""
    listed = [one_line(name, 80) for name in names]
    rest = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return ", ".join(listed[:NAMES_SHOWN]) + rest


def _lacking(group: FailedGroup, summary: Summary) -> str:
    missing = len(group.tables)
    planned = missing + summary.exported_of(group.group)
    return f"{one_line(group.group, 40)} ({missing} of {counted(planned, 'table')})"
