"""Which tables this run exports, and how each is cut into statements that a task handles in constant memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from metadata_export.arguments import Arguments
from metadata_export.catalog import Catalog, Column, Table
from metadata_export.errors import SourceError
from metadata_export.mask import masked_columns, select_list
from metadata_export.parts import MAXIMUM_PARTS, MIB
from metadata_export.window import RUN_TABLE, Window, parent_rules

SMALL_TABLE_BYTES = 8 * MIB  # exported whole by one task, many tables to a task
CHUNK_BYTES = 64 * MIB  # on disk; compresses to one S3 part, over its minimum of 5 MiB for most tables
BUNDLE_BYTES = 32 * MIB
MAXIMUM_CHUNKS = MAXIMUM_PARTS // 2
TID_RANGE_SCAN = 140_000  # before PostgreSQL 14 each range of ctid would read the whole table

ABSENT = "not in this Airflow version's schema"


@dataclass(frozen=True)
class Selection:
    """What of the database this run exports."""

    rules: dict[str, str]
    """table -> window rule, for the tables to export"""
    skipped: dict[str, str]
    """table -> reason"""
    uncatalogued: tuple[str, ...]


@dataclass(frozen=True)
class Extract:
    """One table: what it is and the COPY statements that together return its rows of the window."""

    table: str
    key: str
    rule: str
    columns: tuple[Column, ...]
    statements: tuple[str, ...]
    total_bytes: int
    masked: tuple[str, ...] = ()
    """columns whose values are not in the file"""

    @property
    def header(self) -> bytes:
        """The first line of the file (RFC 4180)."""
        return csv_header([column.name for column in self.columns])


def select_tables(arguments: Arguments, catalog: Catalog) -> Selection:
    """Decide by the live catalog which tables are exported, skipped, and unknown to the table registry.

    Raises:
        SourceError: this is not Airflow's database, or not now: all tables would be skipped, and nothing be missing.
    """
    if RUN_TABLE not in catalog.tables and not catalog.tables.keys() & arguments.tables.keys():
        raise SourceError(
            f"the schema public of the database {arguments.database_name!r} has neither {RUN_TABLE} nor any table of "
            f"the group {arguments.group}: is it Airflow's metadata database (see dbname in the secret), and is it "
            "not being reset? Redrive the execution when it is there"
        )
    skipped = {name: ABSENT for name in arguments.tables if name not in catalog.tables}
    known = arguments.catalogued_tables | arguments.exclude_tables | frozenset(arguments.tables)
    unknown = tuple(sorted(set(catalog.tables) - known)) if arguments.catalogued_tables else ()
    rules = {name: rule for name, rule in arguments.tables.items() if name not in skipped}
    return Selection(rules=rules | dict.fromkeys(unknown, "full"), skipped=skipped, uncatalogued=unknown)


def window_rules(catalog: Catalog, selection: Selection) -> dict[str, str]:
    """Return the rule of every table: that of the registry for this group's tables, the catalog's for the others."""
    return parent_rules(catalog) | selection.rules


def plan_extracts(arguments: Arguments, window: Window, selection: Selection) -> list[Extract]:
    """Return the extracts of this run, the largest table first."""
    catalog = window.catalog
    extracts = [
        Extract(
            table=table.name,
            key=arguments.table_key(table.name),
            rule=selection.rules[table.name],
            columns=table.columns,
            statements=tuple(copy_statements(table, window, catalog.server_version_num, masked)),
            total_bytes=table.total_bytes,
            masked=masked,
        )
        for table in (catalog.tables[name] for name in selection.rules)
        for masked in (masked_columns(table.name, arguments.mask_columns),)
    ]
    return sorted(extracts, key=lambda extract: (-extract.total_bytes, extract.table))


def bundle(extracts: Sequence[Extract], tasks: int) -> list[list[Extract]]:
    """Divide the small tables among tasks, each with about the same number of bytes and of tables."""
    small = [extract for extract in extracts if is_small(extract)]
    bundles = max(tasks, -(-sum(extract.total_bytes for extract in small) // BUNDLE_BYTES))
    return [group for group in (small[start::bundles] for start in range(bundles)) if group]


def is_small(extract: Extract) -> bool:
    """Return whether the table shares a task with others."""
    return extract.total_bytes <= SMALL_TABLE_BYTES


def copy_statements(table: Table, window: Window, server_version_num: int, masked: Sequence[str] = ()) -> list[str]:
    """Return the COPY statements of a table, the end of its heap first: the rows most likely in a window."""
    condition = window.condition(table)
    ranges = page_ranges(table) if server_version_num >= TID_RANGE_SCAN and not table.partitioned else [(0, None)]
    return [_copy(table, first, end, condition, masked) for first, end in reversed(ranges)]


def page_ranges(table: Table) -> list[tuple[int, int | None]]:
    """Cut the heap into ranges of pages [first, end); the last one is open, so that no page is missed."""
    chunks = min(MAXIMUM_CHUNKS, max(1, table.pages), max(1, round(table.total_bytes / CHUNK_BYTES)))
    starts = [table.pages * chunk // chunks for chunk in range(chunks)]
    return list(zip(starts, [*starts[1:], None], strict=True))


def csv_header(names: Sequence[str]) -> bytes:
    """Return column names as one CSV line; the line ends as PostgreSQL's do."""
    special = frozenset(',"\r\n')
    fields = ('"' + name.replace('"', '""') + '"' if special & set(name) else name for name in names)
    return (",".join(fields) + "\n").encode()


def _copy(table: Table, first: int, end: int | None, condition: sql.Composable | None, masked: Sequence[str]) -> str:
    conditions = [sql.SQL("t0.ctid >= {}::tid").format(sql.Literal(f"({first},0)"))] if first else []
    if end is not None:
        conditions.append(sql.SQL("t0.ctid < {}::tid").format(sql.Literal(f"({end},0)")))
    if condition is not None:
        conditions.append(sql.SQL("({})").format(condition))
    query = sql.SQL("SELECT {} FROM {}{} AS t0").format(
        select_list(table, masked),
        sql.SQL("" if table.partitioned else "ONLY "),
        sql.Identifier("public", table.name),
    )
    if conditions:
        query = sql.SQL("{} WHERE {}").format(query, sql.SQL(" AND ").join(conditions))
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query).as_string(None)
