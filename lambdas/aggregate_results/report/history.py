"""The exports before this one, from their summaries; each request to S3 is counted and bounded."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from export_contracts.coverage import coverage_of, is_same_kind
from export_contracts.layout import started_at, summary_prefix
from export_contracts.past_exports import read_summary
from export_contracts.summary import Summary
from export_runtime.errors import ExportError
from export_runtime.store import ObjectStore

LENGTH = 30
# 60 lists and 29 reads at most: less than a tenth of a US cent, and half a second of waiting.
DAYS_BACK = 60
_AT_ONCE = 10
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class PastExport:
    """What the sparklines show of an export."""

    export_id: str
    complete: bool
    rows: int
    object_bytes: int
    seconds: float

    @property
    def started(self) -> datetime:
        """When it started, UTC."""
        return started_at(self.export_id)


def read_history(
    store: ObjectStore, root: str, summary: Summary, may_go_on: Callable[[], bool]
) -> tuple[PastExport, ...]:
    """Return the last exports of the same tables and age, oldest first, this one at the end.

    Beside an export of one table all others would seem to have fallen. A summary that cannot be read (moved to Glacier,
    say) is left out: the history is worth a look, not a failure.

    Args:
        store: export bucket.
        root: prefix of the environment's exports, without a slash at its end.
        summary: of this export.
        may_go_on: asked before every round of requests, of which each can take as long as ``CLIENT_CONFIG`` allows.

    Raises:
        AwsCallError, AwsUnavailableError: S3 refused or did not answer a listing.
    """
    wanted = coverage_of(summary)
    if wanted is None:
        return (past_export(summary),)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        keys = _earlier_keys(store, root, summary.started, may_go_on, pool)
        summaries = _in_rounds(lambda key: _read(store, key), keys, may_go_on, pool)
        same = [past for past in summaries if past and is_same_kind(past, summary.environment, wanted)]
    return tuple(past_export(past) for past in (*sorted(same, key=lambda past: past.export_id), summary))


def past_export(summary: Summary) -> PastExport:
    """Return what the sparklines show of an export."""
    seconds = max(summary.duration_seconds, 0.0)  # below zero when clocks differ
    return PastExport(summary.export_id, summary.complete, summary.total_rows, summary.object_bytes, seconds)


def _earlier_keys(
    store: ObjectStore, root: str, newest: datetime, may_go_on: Callable[[], bool], pool: ThreadPoolExecutor
) -> list[str]:
    """Return the keys of the summaries before the newest, newest first."""
    prefixes = [summary_prefix(root, newest - timedelta(days=back)) for back in range(DAYS_BACK)]
    own = f"{prefixes[0]}{newest:%H%M%S}"
    found: list[str] = []
    for keys in _in_rounds(store.keys, prefixes, may_go_on, pool):
        found += [key for key in sorted(keys, reverse=True) if key < own]
        if len(found) >= LENGTH - 1:
            break
    return found[: LENGTH - 1]


def _in_rounds(
    call: Callable[[str], _Answer], arguments: list[str], may_go_on: Callable[[], bool], pool: ThreadPoolExecutor
) -> Iterator[_Answer]:
    for begin in range(0, len(arguments), _AT_ONCE):
        if not may_go_on():
            return
        yield from pool.map(call, arguments[begin : begin + _AT_ONCE])


def _read(store: ObjectStore, key: str) -> Summary | None:
    try:
        return read_summary(store, key)
    except ExportError:
        return None
