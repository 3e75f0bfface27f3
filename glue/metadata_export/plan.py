"""What this run exports: the tables that the live catalog has, each with the statements that return its rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from metadata_export.access import WHOLE, Access, Reading, read_statements
from metadata_export.catalog import Catalog, Column, ForeignKey, OwnedSequence, Table
from metadata_export.errors import SourceError
from metadata_export.indexes import Indexes, read_indexes
from metadata_export.log import info, warning
from metadata_export.mask import check_masks, masked_columns
from metadata_export.orphans import count_orphans
from metadata_export.parquet_target import ParquetTarget
from metadata_export.parts import MIB
from metadata_export.request import TableRequest
from metadata_export.row_filter import row_filter
from metadata_export.selected_runs import DecideRuns, decide_alone
from metadata_export.selection import Selection, select_tables, unknown_tables, window_rules
from metadata_export.sizes import measure
from metadata_export.source import Connection
from metadata_export.statements import SMALL_TABLE_BYTES, Statement, total_bytes
from metadata_export.window import Window

BUNDLE_BYTES = 32 * MIB


@dataclass(frozen=True)
class Extract:
    """One table: what it is and the COPY statements that together return its rows of the window."""

    table: str
    key: str
    rule: str
    columns: tuple[Column, ...]
    statements: tuple[Statement, ...]
    total_bytes: int
    masked: tuple[str, ...] = ()
    """columns whose values are not in the file"""
    access: Access = WHOLE
    """how the rows are read"""
    parquet: ParquetTarget | None = None
    """where the rows go as Parquet too"""
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    """those that the database has"""
    sequences: tuple[OwnedSequence, ...] = ()

    @property
    def header(self) -> bytes:
        """The first line of the file (RFC 4180)."""
        return csv_header([column.name for column in self.columns])


@dataclass(frozen=True)
class GroupPlan:
    """What the live database says is to be done.

    Args:
        extracts: the largest table first.
        failed: table -> error, for what cannot be exported.
        orphans: table -> rows that refer to a row which does not exist, where there are any.
        unread_evidence: tables that could not be read in the search for old runs that something happened to.
    """

    catalog: Catalog
    selection: Selection
    extracts: tuple[Extract, ...]
    failed: Mapping[str, str]
    orphans: Mapping[str, int]
    unread_evidence: tuple[str, ...] = ()


def make_plan(
    connection: Connection,
    catalog: Catalog,
    request: TableRequest,
    cutoff: datetime | None,
    key_of: Callable[[str], str],
    decide: DecideRuns = decide_alone,
    parquet_of: Callable[[Table], ParquetTarget | None] = lambda _: None,
) -> GroupPlan:
    """Turn the request into statements, within the connection's transaction. No table stays locked.

    Args:
        cutoff: rows at or after it are in the window; None exports everything.
        key_of: gives the object key of a table.
        decide: finds the dag runs of the window.
        parquet_of: says where the rows of a table go as Parquet too.
    """
    selection = select_tables(request, catalog)
    rules, unknown = window_rules(request, catalog, selection), unknown_tables(request, catalog, selection)
    window = Window(catalog, rules, cutoff, unknown)
    indexes = read_indexes(connection, catalog.tables.values()) if window.has_runs else Indexes()
    selected = decide(connection, window, indexes, needed=window.depends_on_runs(selection.rules))
    if selected is not None:
        window = replace(window, runs=selected.runs, early_runs=selected.early, error=selected.error)
    sizes = measure(connection, [catalog.tables[name] for name in selection.rules])
    reading = Reading(connection, window, indexes, sizes, selected)
    failed, orphans, extracts = dict(selection.failed), dict[str, int](), list[Extract]()
    for name in selection.rules:
        try:
            check_masks(connection, catalog, [name], request.mask_columns)
            orphans[name] = count_orphans(connection, catalog, catalog.tables[name])
            extract = _extract(reading, name, key_of(name), request.mask_columns)
            extracts.append(replace(extract, parquet=parquet_of(catalog.tables[name])))
        except SourceError as error:
            if error.transient:
                raise
            failed[name] = str(error)
    _log(selection, failed, orphans)
    return GroupPlan(
        catalog=catalog,
        selection=selection,
        extracts=tuple(sorted(extracts, key=lambda extract: (-extract.total_bytes, extract.table))),
        failed=failed,
        orphans={name: number for name, number in orphans.items() if number},
        unread_evidence=selected.unread if selected is not None else (),
    )


def bundle(extracts: Sequence[Extract], tasks: int) -> list[list[Extract]]:
    """Divide the small tables among tasks, each with about the same number of bytes and of tables."""
    small = [extract for extract in extracts if is_small(extract)]
    bundles = max(tasks, -(-sum(extract.total_bytes for extract in small) // BUNDLE_BYTES))
    return [group for group in (small[start::bundles] for start in range(bundles)) if group]


def is_small(extract: Extract) -> bool:
    """Return whether the table shares a task with others."""
    return extract.total_bytes <= SMALL_TABLE_BYTES


def csv_header(names: Sequence[str]) -> bytes:
    """Return column names as one CSV line; the line ends as PostgreSQL's do."""
    special = frozenset(',"\r\n')
    fields = ('"' + name.replace('"', '""') + '"' if special & set(name) else name for name in names)
    return (",".join(fields) + "\n").encode()


def _extract(reading: Reading, name: str, key: str, masks: Mapping[str, tuple[str, ...]]) -> Extract:
    window, sizes = reading.window, reading.sizes
    table, masked = window.catalog.tables[name], masked_columns(name, masks)
    small = total_bytes(table, sizes) <= SMALL_TABLE_BYTES
    chosen, access = read_statements(reading, table, row_filter(window, table), masked, small=small)
    return Extract(
        table=name,
        key=key,
        rule=window.rules[name],
        columns=table.columns,
        statements=chosen,
        total_bytes=total_bytes(table, sizes),
        masked=masked,
        access=access,
        primary_key=table.primary_key,
        foreign_keys=tuple(key for key in table.foreign_keys if key.name),
        sequences=table.sequences,
    )


def _log(selection: Selection, failed: Mapping[str, str], orphans: Mapping[str, int]) -> None:
    for table, reason in selection.skipped.items():
        info(f"skipped {table}: {reason}", table=table)
    for table in selection.uncatalogued:
        warning(f"{table} is not in the table registry: exported with all rows that refer to no older run", table=table)
    for table, error in failed.items():
        warning(f"{table} cannot be exported: {error}", table=table)
    for table, number in orphans.items():
        if number:
            warning(f"{table}: rows that refer to rows which do not exist: {number:,}", table=table, orphans=number)
