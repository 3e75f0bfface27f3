"""The summaries of exports, newest first, as far back as somebody asks."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from export_contracts.layout import summary_prefix
from export_contracts.store import ObjectStore

SUMMARIES_READ = 30
"""how many a search reads at most: it runs in a function that has a minute"""


def pointed_key(store: ObjectStore, latest_key: str) -> str | None:
    """Return the key of the summary that latest.json names; None when there is none or it is damaged.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    key = (store.read_json(latest_key) or {}).get("summary_key")
    return key if isinstance(key, str) else None


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
    for back in range(days):
        keys = store.keys(summary_prefix(root, newest - timedelta(days=back)))
        yield from (key for key in sorted(keys, reverse=True) if first != key < before)
