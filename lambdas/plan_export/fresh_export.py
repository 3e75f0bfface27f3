"""Is there a COMPLETE export that makes this one superfluous?"""

from datetime import datetime, timedelta
from typing import Any

from export_contracts.errors import ArchivedObjectError
from export_contracts.layout import started_at
from export_contracts.plan import Export
from export_contracts.store import ObjectStore


def find_fresh_export(store: ObjectStore, export: Export, fresh_hours: int) -> str | None:
    """Return the key of the newest COMPLETE summary if it covers what this export would bring.

    The summary itself is read, not only the pointer to it. Whatever is missing or unreadable covers nothing: an export
    too many is cheap, one too few is not.

    Args:
        store: export bucket.
        export: this execution's.
        fresh_hours: how old an export may be to count.
    """
    try:
        key = (store.read_json(export.latest_key) or {}).get("summary_key")
        summary = store.read_json(key) or {} if isinstance(key, str) else {}
    except ArchivedObjectError:
        return None  # by a lifecycle of somebody's own bucket
    oldest = started_at(export.export_id) - timedelta(hours=fresh_hours)
    return key if _covers(summary, export) and _is_younger(summary, oldest) else None


def _covers(summary: dict[str, Any], export: Export) -> bool:
    return (
        summary.get("status") == "COMPLETE"
        and summary.get("environment") == export.environment
        and summary.get("selection") == export.selection
        and _reaches_back(summary.get("max_age_days"), export.max_age_in_days)
    )


def _reaches_back(had: object, wanted: int | None) -> bool:
    if had is None:
        return True
    return isinstance(had, int) and wanted is not None and had >= wanted


def _is_younger(summary: dict[str, Any], oldest: datetime) -> bool:
    try:
        return started_at(str(summary.get("export_id"))) >= oldest
    except ValueError:
        return False
