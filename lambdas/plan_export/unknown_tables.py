"""Does the search for unknown tables need a Glue run of its own? It costs a minute, and mostly there are none."""

from dataclasses import replace

from export_contracts.past_exports import pointed_key, readable_summary
from export_contracts.plan import Export, TableGroup
from export_contracts.summary import Summary
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore

from plan_export.table_registry import UNCATALOGUED


def share_look(groups: tuple[TableGroup, ...], store: ObjectStore, export: Export) -> tuple[TableGroup, ...]:
    """Let the first group look for unknown tables too, when the newest full export has found none.

    Where it has found some, or nobody knows, they get a run of their own, which keeps its failures apart. A table that
    appears for the first time is exported either way.

    Args:
        groups: as planned, with the search in a group of its own.
        store: export bucket.
        export: this execution's.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    looking = [group for group in groups if group.group == UNCATALOGUED and not group.tables]
    others = [group for group in groups if group not in looking]
    if not looking or not others or _may_be_unknown(store, export):
        return groups
    [look] = looking
    first = replace(others[0], catalogued_tables=look.catalogued_tables, exclude_tables=look.exclude_tables)
    return (first, *others[1:])


def _may_be_unknown(store: ObjectStore, export: Export) -> bool:
    newest = _newest_full(store, export)
    return newest is None or bool(newest.uncatalogued_tables)


def _newest_full(store: ObjectStore, export: Export) -> Summary | None:
    try:
        key = pointed_key(store, export.latest_key)
        return readable_summary(store, key) if key else None
    except ArchivedObjectError:
        return None
