"""Is there a COMPLETE export that makes this one superfluous?"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from export_contracts.coverage import is_backup
from export_contracts.layout import started_at
from export_contracts.past_exports import SUMMARIES_READ, pointed_key, readable_summary, summary_keys
from export_contracts.plan import Export
from export_contracts.summary import Summary
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore


def find_fresh_export(store: ObjectStore, export: Export, fresh_hours: int, now: datetime) -> str | None:
    """Return the key of a COMPLETE summary that is young enough and covers what this export would bring.

    The summary itself is read, not only the pointer to it. Whatever is missing or unreadable covers nothing: an export
    too many is cheap, one too few is not.

    Args:
        store: export bucket.
        export: this execution's.
        fresh_hours: how old an export may be to count.
        now: UTC.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    oldest = started_at(export.export_id) - timedelta(hours=fresh_hours)
    for key in islice(_keys(store, export, oldest, now), SUMMARIES_READ):
        summary = _read(store, key)
        if summary and summary.started >= oldest and is_backup(summary, export.environment, export.coverage):
            return key
    return None


def _keys(store: ObjectStore, export: Export, oldest: datetime, now: datetime) -> Iterator[str]:
    try:
        pointed = pointed_key(store, export.latest_key)
    except ArchivedObjectError:
        pointed = None  # by a lifecycle of somebody's own bucket
    days = (now.date() - oldest.date()).days + 1
    return summary_keys(store, export.root, pointed, now, days)


def _read(store: ObjectStore, key: str) -> Summary | None:
    try:
        return readable_summary(store, key)
    except ArchivedObjectError:
        return None
