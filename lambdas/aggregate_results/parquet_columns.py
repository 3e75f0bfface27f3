"""Remembers which columns the Parquet files of all exports have had, so that a name keeps its type."""

from dataclasses import dataclass

from export_contracts.formats import FORMAT_VERSION
from export_contracts.layout import parquet_columns_key
from export_contracts.parquet import KnownColumn, ParquetColumns
from export_contracts.plan import Export
from export_contracts.summary import Summary
from export_runtime.store import ObjectStore
from export_runtime.text import one_line


@dataclass(frozen=True)
class Remembered:
    """The columns of all exports; ``conflicts`` has, by table, what a query could not join, for people."""

    columns: ParquetColumns
    conflicts: dict[str, str]


def remember_columns(store: ObjectStore, export: Export, summary: Summary) -> Remembered:
    """Add the columns of a COMPLETE export to those that are known. Exports do not overlap: the lock sees to that.

    It is written every time, so that no lifecycle rule finds it old.

    Raises:
        DocumentError: what is known is damaged. It is left as it is.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    key = parquet_columns_key(export.root)
    found = store.read(key)
    known = ParquetColumns.from_bytes(found.body) if found else ParquetColumns(FORMAT_VERSION, {})
    remembered = with_export(known, summary)
    store.write(key, remembered.columns.to_bytes(), "application/json")
    return remembered


def with_export(known: ParquetColumns, summary: Summary) -> Remembered:
    """Return what is known with the columns of an export; a table that contradicts it is left out."""
    conflicts: dict[str, str] = {}
    for name, table in summary.details.items():
        if table.parquet is None:
            continue
        postgresql = {column.name: column.type for column in table.columns}
        columns = tuple(
            KnownColumn(each.name, each.type, each.source, postgresql[each.source], summary.export_id)
            for each in table.parquet.columns
        )
        types = {column.name: _type_in_files(column) for column in known.tables.get(name, ())}
        of_each = {column.name: _type_in_files(column) for column in columns}
        clash = next((column for column, kind in of_each.items() if types.get(column, kind) != kind), None)
        if clash is not None:
            conflicts[name] = (
                f"column {one_line(clash, 80)} is {of_each[clash]} in its Parquet files, "
                f"and {types[clash]} in those of earlier exports"
            )
            continue
        known = known.with_table(name, columns)
    return Remembered(known, conflicts)


def _type_in_files(column: KnownColumn) -> str:
    """Return its type as Parquet has it, where moments and times on some clock are two; the catalog has one word."""
    unzoned = column.type == "timestamp" and column.postgresql.endswith("without time zone")
    return "timestamp without time zone" if unzoned else column.type
