"""Which tables one export consists of."""

from dataclasses import dataclass
from datetime import datetime

from export_contracts.layout import Layout
from export_contracts.plan import PlannedTable, TableGroup

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


@dataclass(frozen=True)
class Selection:
    """Names to export and names to leave out, sorted; no name in ``include_tables`` means all tables."""

    include_tables: tuple[str, ...]
    exclude_tables: tuple[str, ...]

    def takes(self, table: str) -> bool:
        """Say whether a table is wanted."""
        return table not in self.exclude_tables and (not self.include_tables or table in self.include_tables)


def select(request: ExecutionInput, settings: Settings) -> Selection:
    """Return the input's selection where it has one, the stack's otherwise.

    A name that the input has in one list is taken out of the stack's other list: who asks for a table by name gets it.

    Raises:
        InvalidExportInputError: nothing would be left to export.
    """
    include = set(settings.include_tables) - set(request.exclude_tables)
    exclude = set(settings.exclude_tables) - set(request.include_tables)
    if "include_tables" in request.given:
        include = set(request.include_tables)
    elif settings.include_tables and not include:
        raise InvalidExportInputError(
            f"Execution input is not valid: exclude_tables leaves nothing of the stack's include_tables "
            f"({', '.join(settings.include_tables)}). Nothing was started; give include_tables too."
        )
    if "exclude_tables" in request.given:
        exclude = set(request.exclude_tables)
    return Selection(tuple(sorted(include)), tuple(sorted(exclude)))


def table_groups(selection: Selection, layout: Layout, started: datetime) -> tuple[TableGroup, ...]:
    """Return the groups to export, in the registry's order, without those that hold no table."""
    planned = [
        TableGroup(group, layout.manifest_key(started, group), _registered(selection, group)) for group in GROUPS
    ]
    groups = tuple(group for group in planned if group.tables)
    return (*groups, *_uncatalogued(selection, layout.manifest_key(started, UNCATALOGUED)))


def excluded_tables(selection: Selection) -> dict[str, str]:
    """Return the tables that exist but are left out although nobody listed what to include: name -> reason."""
    if selection.include_tables:
        return {}
    asked = dict.fromkeys(selection.exclude_tables, "excluded: exclude_tables names it")
    return {**asked, **{table: f"excluded: {reason}" for table, reason in EXCLUSION_REASONS.items()}}


def _registered(selection: Selection, group: str) -> tuple[PlannedTable, ...]:
    return tuple(
        PlannedTable(table.name, table.window, table.any_schema)
        for table in TABLES
        if table.group == group and selection.takes(table.name)
    )


def _uncatalogued(selection: Selection, manifest_key: str) -> tuple[TableGroup, ...]:
    # What refers to windowed rows follows them; the rest of what nobody knows is exported whole.
    unknown = tuple(PlannedTable(name, "follow") for name in selection.include_tables if name not in TABLE_NAMES)
    if selection.include_tables:
        return (TableGroup(UNCATALOGUED, manifest_key, unknown),) if unknown else ()
    return (TableGroup(UNCATALOGUED, manifest_key, (), CATALOGUED_NAMES, selection.exclude_tables),)
