"""The summaries of exports, newest first, as far back as somebody asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from export_runtime.store import ObjectStore

from export_contracts.fields import DocumentError
from export_contracts.layout import SUMMARY_NAME, day_prefix
from export_contracts.pointer import Pointer
from export_contracts.summary import Summary

SUMMARIES_READ = 30
"""how many a search reads at most: it runs in a function that has only a minute"""


def read_summary(store: ObjectStore, key: str) -> Summary | None:
    """Return the summary with this key, or None when there is none.

    Raises:
        DocumentError: it is damaged, or of a format that is not read.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    found = store.read(key)
    return Summary.from_bytes(found.body) if found else None


def readable_summary(store: ObjectStore, key: str) -> Summary | None:
    """Return a summary as ``read_summary`` does, for a search that leaves out what cannot be read.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    try:
        return read_summary(store, key)
    except DocumentError:
        return None


def read_pointer(store: ObjectStore, latest_key: str) -> Pointer | None:
    """Return latest.json, or None when there is none.

    Raises:
        DocumentError: it is damaged.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    found = store.read(latest_key)
    return Pointer.from_bytes(found.body) if found else None


def pointed_key(store: ObjectStore, latest_key: str) -> str | None:
    """Return the key of the summary that latest.json names; None when there is none or it is damaged.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    try:
        pointer = read_pointer(store, latest_key)
    except DocumentError:
        return None
    return pointer.summary_key if pointer else None


def summary_keys(
    store: ObjectStore, root: str, first: str | None, newest: datetime, days: int, before: str = "~"
) -> Iterator[str]:
    """Yield a key, and then those of the summaries of the last days, newest first; each is yielded once.

    latest.json leads to the newest full export at once. What it names may still not be what is looked for: an older
    version pointed it to partial exports too, and the stack's parameters change.

    Args:
        store: export bucket.
        root: prefix of the environment's exports, without a slash at its end.
        first: the key to begin with, as latest.json has it.
        newest: the last day to look at, UTC.
        days: how many days to look at.
        before: only keys below this one; it does not apply to ``first``.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    if first is not None:
        yield first
    for day in _days_with_objects(store, root, newest, days):
        keys = store.keys(f"{day}{SUMMARY_NAME}")
        yield from (key for key in sorted(keys, reverse=True) if first != key < before)


def first_day(store: ObjectStore, root: str) -> datetime | None:
    """Return the first day (UTC) on which anything was exported that is still there, or None.

    Args:
        root: prefix of the environment's exports, without a slash at its end.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    folder = f"{root}/"
    for _ in ("year", "month", "day"):
        numbered = [found for found in store.folders(folder) if found[len(folder) : -1].isdigit()]
        if not numbered:
            return None
        folder = numbered[0]
    return datetime.strptime(folder[len(root) :], "/%Y/%m/%d/").replace(tzinfo=UTC)


def _days_with_objects(store: ObjectStore, root: str, newest: datetime, days: int) -> Iterator[str]:
    """Yield the prefixes of the days that hold anything, newest first: one call a month rather than one a day."""
    wanted = [day_prefix(root, newest - timedelta(days=back)) for back in range(days)]
    for month in dict.fromkeys(day[: -len("DD/")] for day in wanted):
        found = frozenset(store.folders(month))
        yield from (day for day in wanted if day in found)
