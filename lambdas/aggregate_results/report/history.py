"""The exports before this one, from their summaries; each request to S3 is counted and bounded."""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from export_contracts.coverage import Coverage
from export_contracts.layout import started_at, summary_prefix
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
    store: ObjectStore, root: str, summary: Mapping[str, Any], may_go_on: Callable[[], bool]
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
    newest = past_export(summary)
    if newest is None:
        return ()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        keys = _earlier_keys(store, root, newest.started, may_go_on, pool)
        summaries = _in_rounds(lambda key: _read(store, key), keys, may_go_on, pool)
        same = (content for content in summaries if Coverage.of(content) == Coverage.of(summary))
        earlier = [found for content in same if (found := past_export(content))]
    return (*sorted(earlier, key=lambda found: found.export_id), newest)


def past_export(summary: Mapping[str, Any]) -> PastExport | None:
    """Return what the sparklines show of a summary, or None when it is not one."""
    try:
        started_at(summary["export_id"])
        return PastExport(
            export_id=summary["export_id"],
            complete=summary["status"] == "COMPLETE",
            rows=_positive(summary["total_rows"]),
            object_bytes=sum(_positive(table["object_bytes"]) for table in summary["details"].values()),
            seconds=_seconds(summary["duration_seconds"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


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


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    try:
        return store.read_json(key) or {}
    except ExportError:
        return {}


def _positive(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("not a whole number of 0 or more")


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and math.isfinite(value):
        return max(float(value), 0.0)  # below zero when clocks differ
    raise ValueError("not a number")
