"""Which tables this run exports, skips, and cannot know from the table registry: the live catalog decides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from metadata_export.catalog import Catalog
from metadata_export.errors import SourceError
from metadata_export.heaps import PUBLIC
from metadata_export.references import AIRFLOW_TABLES
from metadata_export.request import TableRequest
from metadata_export.window import RUN_TABLE, parent_rules, rules_with_unknown

UNCATALOGUED_GROUP = "uncatalogued"
ABSENT = "not in this Airflow version's schema"
EXCLUDED = "excluded: exclude_tables names it"
NAMED_ELSEWHERE = 100  # of the tables of other schemas: there may be thousands


@dataclass(frozen=True)
class Selection:
    """What of the database this run exports.

    Args:
        rules: table -> window rule, for the tables to export.
        skipped: table -> reason.
        uncatalogued: the tables to export that the registry does not know.
        failed: table -> error, for what was asked for and is there, but cannot be exported.
    """

    rules: dict[str, str]
    skipped: dict[str, str]
    uncatalogued: tuple[str, ...]
    failed: dict[str, str]


def select_tables(request: TableRequest, catalog: Catalog) -> Selection:
    """Decide by the live catalog which tables are exported, skipped, and unknown to the table registry.

    Raises:
        SourceError: this is not Airflow's database, or not now: all tables would be skipped, and none would count as
            missing.
    """
    names = {name: tuple(_tables_named(name, request, catalog)) for name in request.tables}
    if RUN_TABLE not in catalog.tables and not any(names.values()):
        raise SourceError(
            f"the schema public of the database {request.database_name!r} has neither {RUN_TABLE} nor any table of "
            f"the group {request.group}: is it Airflow's metadata database (see dbname in the secret), and is it "
            "not being reset? Redrive the execution when it is there"
        )
    absent = [name for name, found in names.items() if not found]
    unknown = _unknown(request, catalog)
    rules = {table: request.tables[name] for name, found in names.items() for table in found}
    return Selection(
        rules=rules | dict.fromkeys(unknown, "full"),
        skipped={name: _absence(name, catalog) for name in absent if name not in catalog.not_tables}
        | dict(_left_elsewhere(request, catalog)),
        uncatalogued=unknown,
        failed={
            name: f"{name} is {catalog.not_tables[name]}, not a table: make it one, or leave it out (exclude_tables)"
            for name in absent
            if name in catalog.not_tables
        },
    )


def window_rules(request: TableRequest, catalog: Catalog, selection: Selection) -> dict[str, str]:
    """Return the rule of every table: that of the registry for Airflow's, that of the foreign keys for the others."""
    return rules_with_unknown(catalog, _known_rules(request, catalog, selection))


def unknown_tables(request: TableRequest, catalog: Catalog, selection: Selection) -> frozenset[str]:
    """Return the tables that are not Airflow's, as far as this run has been told."""
    return frozenset(catalog.tables) - _known_rules(request, catalog, selection).keys() - AIRFLOW_TABLES


def _known_rules(request: TableRequest, catalog: Catalog, selection: Selection) -> dict[str, str]:
    # An execution that an older version has planned, and that is redriven now, names no windows.
    told = request.windows or {name: rule for name, rule in parent_rules(catalog).items() if name in AIRFLOW_TABLES}
    own = {} if request.group == UNCATALOGUED_GROUP else selection.rules
    unknown = frozenset(selection.uncatalogued)
    rules = {**dict(_elsewhere(told, catalog)), **told, **own}
    return {name: rule for name, rule in rules.items() if name in catalog.tables and name not in unknown}


def _elsewhere(rules: Mapping[str, str], catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the rules of tables that another schema has in the place of public: another group may export them."""
    for table in catalog.tables.values():
        bare = table.name.removeprefix(f"{table.schema}.")
        if table.schema != PUBLIC and bare in rules and bare not in catalog.tables:
            yield table.name, rules[bare]


def _tables_named(name: str, request: TableRequest, catalog: Catalog) -> Iterator[str]:
    if name in catalog.tables:
        yield name
    if name in request.any_schema:
        elsewhere = (table for table in catalog.tables.values() if table.schema != PUBLIC)
        yield from (
            table.name
            for table in elsewhere
            if table.name == f"{table.schema}.{name}" and table.name not in request.exclude_tables
        )


def _unknown(request: TableRequest, catalog: Catalog) -> tuple[str, ...]:
    if not request.catalogued_tables:
        return ()
    known = request.catalogued_tables | request.exclude_tables | request.tables.keys()
    return tuple(sorted(t.name for t in catalog.tables.values() if t.schema == PUBLIC and t.name not in known))


def _absence(name: str, catalog: Catalog) -> str:
    if name in catalog.part_of:
        return f"its rows are in the file of {catalog.part_of[name]}, which it is a part of"
    schemas = sorted(schema for schema, table in catalog.elsewhere if table == name)
    if schemas:
        return f"not in the schema public; a table of that name in the schema {', '.join(schemas)} is not exported"
    return ABSENT


def _left_elsewhere(request: TableRequest, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the tables of other schemas with the reason why they are not exported; one group speaks for all."""
    if not request.catalogued_tables:
        return
    for schema, name in catalog.elsewhere[:NAMED_ELSEWHERE]:
        excluded = request.exclude_tables & {name, f"{schema}.{name}"}
        reason = EXCLUDED if excluded else f"in the schema {schema}: only tables of the schema public are exported"
        yield f"{schema}.{name}", reason
    more = len(catalog.elsewhere) - NAMED_ELSEWHERE
    if more > 0:
        yield f"{more} more tables", "in other schemas: only tables of the schema public are exported"
