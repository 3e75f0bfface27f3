"""Tables as statements read them: each heap that the snapshot's catalog has, by its name, with ONLY."""

from collections.abc import Iterable

from psycopg import sql

from metadata_export.catalog import ForeignKey, Heap, Table


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
    """Return what stands behind FROM for all rows of a table: its heap, or the union of several.

    Either tells in `tableoid` which heap a row is in.
    """
    if len(table.heaps) == 1:
        return heap_name(table.heaps[0])
    if not table.heaps:  # partitioned, without a partition
        nulls = (
            sql.SQL("NULL::{} AS {}").format(sql.SQL(column.type), sql.Identifier(column.name))
            for column in table.columns
        )
        return sql.SQL("(SELECT {} WHERE false)").format(sql.SQL(", ").join([*nulls, sql.SQL("NULL::oid AS tableoid")]))
    columns = sql.SQL(", ").join([*(sql.Identifier(column.name) for column in table.columns), sql.SQL("tableoid")])
    parts = (sql.SQL("SELECT {} FROM {}").format(columns, heap_name(heap)) for heap in table.heaps)
    return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(parts))


def pairs(key: ForeignKey, child: str, parent: str) -> sql.Composed:
    """Return whether a row of the child refers to a row of the parent, by their aliases."""
    compared = [
        sql.SQL("{} {} {}").format(sql.Identifier(parent, theirs), sql.SQL(operator), sql.Identifier(child, own))
        for own, theirs, operator in zip(
            key.columns, key.parent_columns, key.operators or ("=",) * len(key.columns), strict=True
        )
    ]
    return sql.SQL(" AND ").join(compared + ([in_heaps(parent, key.parent_heaps)] if key.parent_heaps else []))


def in_heaps(alias: str, heaps: Iterable[int]) -> sql.Composed:
    """Return whether a row is in one of these heaps, by their oids."""
    oids = sql.SQL(", ").join(sql.SQL(str(oid)) for oid in sorted(heaps))
    return sql.SQL("{} IN ({})").format(sql.Identifier(alias, "tableoid"), oids)
