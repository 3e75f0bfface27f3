"""Tables as statements read them: each heap that the snapshot's catalog has, by its name, with ONLY."""

from psycopg import sql

from metadata_export.catalog import Heap, Table


def heap_name(heap: Heap) -> sql.Composed:
    """Return a heap without what PostgreSQL now takes for its children."""
    return sql.SQL("ONLY {}").format(sql.Identifier(heap.schema, heap.name))


def aliased(heap: Heap) -> sql.Composed:
    """Return a heap under the alias t0."""
    return sql.SQL("{} AS t0").format(heap_name(heap))


def columns_of(table: Table, alias: str | None = None) -> sql.Composed:
    """Return the columns of a table, separated by commas."""
    names = ((alias, column.name) if alias else (column.name,) for column in table.columns)
    return sql.SQL(", ").join(sql.Identifier(*name) for name in names)


def relation(table: Table) -> sql.Composable:
    """Return what stands behind FROM for all rows of a table: its heap, or the union of several."""
    if len(table.heaps) == 1:
        return heap_name(table.heaps[0])
    if not table.heaps:  # partitioned, without a partition
        nulls = (
            sql.SQL("NULL::{} AS {}").format(sql.SQL(column.type), sql.Identifier(column.name))
            for column in table.columns
        )
        return sql.SQL("(SELECT {} WHERE false)").format(sql.SQL(", ").join(nulls))
    parts = (sql.SQL("SELECT {} FROM {}").format(columns_of(table), heap_name(heap)) for heap in table.heaps)
    return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(parts))
