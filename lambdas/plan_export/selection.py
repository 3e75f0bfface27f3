"""Which tables one export consists of.

A name is that of a table, or ``<schema>.<table>`` for a registered table that lies in another schema than public
(Celery's results may).
"""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime

from export_contracts.coverage import Coverage, bare_name
from export_contracts.layout import Layout
from export_contracts.plan import PlannedTable, TableGroup
from export_runtime.text import one_line

from plan_export.errors import InvalidExportInputError
from plan_export.execution_input import ExecutionInput
from plan_export.settings import Settings
from plan_export.table_registry import (
    CATALOGUED_NAMES,
    EXCLUSION_REASONS,
    GROUPS,
    TABLE_NAMES,
    TABLES,
    UNCATALOGUED,
)


def select(request: ExecutionInput, settings: Settings) -> Coverage:
    """Return what the input asks for, tables and age; the stack's own where the input says nothing.

    A name that the input has in one list is taken out of the stack's other list: whoever asks for a table by name gets
    it. Excluding what is never exported changes nothing.

    Raises:
        InvalidExportInputError: nothing would be left to export.
    """
    asked_by_name = {bare_name(name) for name in request.include_tables}
    include = set(settings.include_tables) - set(request.exclude_tables)
    exclude = {name for name in settings.exclude_tables if bare_name(name) not in asked_by_name}
    if "include_tables" in request.given:
        include = set(request.include_tables)
    if "exclude_tables" in request.given:
        exclude = set(request.exclude_tables)
    days = request.max_age_in_days if "max_age_in_days" in request.given else settings.max_age_in_days
    wanted = Coverage(tuple(sorted(include)), tuple(sorted(exclude - EXCLUSION_REASONS.keys())), days)
    listed = request.include_tables if "include_tables" in request.given else settings.include_tables
    if listed and not any(map(wanted.takes, include)):
        raise InvalidExportInputError(
            f"Execution input is not valid: exclude_tables leaves nothing of include_tables "
            f"({one_line(', '.join(listed), 1000)}). Nothing was started; give include_tables too."
        )
    return wanted


def table_groups(selection: Coverage, layout: Layout, started: datetime) -> tuple[TableGroup, ...]:
    """Return the groups to export, in the registry's order, without those that hold no table."""
    planned = [_registered_group(selection, group, layout.manifest_key(started, group)) for group in GROUPS]
    groups = tuple(group for group in planned if group.tables)
    return (*groups, *_uncatalogued(selection, layout.manifest_key(started, UNCATALOGUED)))


def excluded_tables(selection: Coverage) -> dict[str, str]:
    """Return the tables that exist but are left out although nobody listed what to include: name -> reason."""
    if selection.include_tables:
        return {}
    asked = dict.fromkeys(selection.exclude_tables, "excluded: exclude_tables names it")
    return {**asked, **{table: f"excluded: {reason}" for table, reason in EXCLUSION_REASONS.items()}}


def _registered_group(selection: Coverage, group: str, manifest_key: str) -> TableGroup:
    registered = {table.name: table for table in TABLES if table.group == group}
    planned = [PlannedTable(table.name, table.window, table.any_schema) for table in registered.values()]
    # Whoever names a table of another schema gets that one.
    planned += [
        PlannedTable(name, registered[bare_name(name)].window, any_schema=True)
        for name in _elsewhere(selection.include_tables, registered.keys())
    ]
    return TableGroup(group, manifest_key, tuple(table for table in planned if selection.takes(table.table)))


def _elsewhere(names: Iterable[str], registered: Container[str]) -> Iterator[str]:
    """Yield those names with a schema that are names of registered tables."""
    return (name for name in names if bare_name(name) != name and bare_name(name) in registered)


def _uncatalogued(selection: Coverage, manifest_key: str) -> tuple[TableGroup, ...]:
    if not selection.include_tables:
        return (TableGroup(UNCATALOGUED, manifest_key, (), CATALOGUED_NAMES, selection.exclude_tables),)
    # What refers to windowed rows follows them; the other unknown tables are exported whole.
    unknown = tuple(
        PlannedTable(name, "follow", any_schema=bare_name(name) != name)
        for name in selection.include_tables
        if bare_name(name) not in TABLE_NAMES and selection.takes(name)
    )
    return (TableGroup(UNCATALOGUED, manifest_key, unknown),) if unknown else ()
