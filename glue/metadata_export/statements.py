"""Cuts a table into COPY statements that a task handles in constant memory, each with the check of what it has read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from metadata_export.catalog import Catalog, Heap, Table
from metadata_export.from_clause import aliased, relation
from metadata_export.identity import changed_query
from metadata_export.mask import select_list
from metadata_export.parts import MAXIMUM_PARTS, MIB
from metadata_export.planner import BY_HASH
from metadata_export.row_filter import RowFilter
from metadata_export.sizes import Size

SMALL_TABLE_BYTES = 8 * MIB  # exported whole by one task, many tables to a task
CHUNK_BYTES = 64 * MIB  # on disk; compresses to one S3 part, over its minimum of 5 MiB for most tables
MAXIMUM_CHUNKS = MAXIMUM_PARTS // 2
HEAP_TO_OTHERS = 2  # bytes of a heap to each byte of others that a statement reads with it
TID_RANGE_SCAN = 140_000  # before PostgreSQL 14 each range of ctid would read the whole table


@dataclass(frozen=True)
class Statement:
    """A COPY, and the query for the relations that were not what it took them for.

    Args:
        forbidden: ways that PostgreSQL must not take, see `planner`.
    """

    copy: str
    changed: str
    forbidden: tuple[str, ...] = ()


def copy_statements(
    table: Table,
    rows: RowFilter,
    sizes: Mapping[int, Size],
    catalog: Catalog,
    masked: Sequence[str] = (),
    read_with_each: int = 0,
) -> tuple[Statement, ...]:
    """Return the statements of a table by pages, the end of each heap first: the rows most likely in a window.

    Args:
        masked: columns whose values stay in the database.
        read_with_each: bytes of other tables that each statement reads to decide about the rows.
    """
    selected = select_list(table, masked)
    others = [catalog.tables[name] for name in sorted(rows.tables - {table.name})]
    whole = [sql.SQL("({})").format(rows.condition)] if rows.condition is not None else []
    if len(table.heaps) != 1 and total_bytes(table, sizes) <= SMALL_TABLE_BYTES:
        return (
            Statement(
                copy_of(selected, sql.SQL("{} AS t0").format(relation(table)), whole), changed_query([table, *others])
            ),
        )
    forbidden = BY_HASH if read_with_each and total_bytes(table, sizes) > SMALL_TABLE_BYTES else ()
    return tuple(
        Statement(
            copy=copy_of(selected, aliased(heap), [*page_conditions(first, end), *whole]),
            changed=changed_query([table, *others] if table.name in rows.tables else others, (table, heap)),
            forbidden=forbidden,
        )
        for heap, first, end in _ranges(table, sizes, catalog.server_version_num, read_with_each)
    )


def total_bytes(table: Table, sizes: Mapping[int, Size]) -> int:
    """Return the bytes of a table on disk, with those of TOAST."""
    return sum(sizes[heap.oid].total_bytes for heap in table.heaps)


def page_ranges(size: Size, most: int = MAXIMUM_CHUNKS, read_with_each: int = 0) -> list[tuple[int, int | None]]:
    """Cut a heap into at most so many ranges of pages [first, end); the last one is open, so that no page is missed."""
    chunk_bytes = max(CHUNK_BYTES, HEAP_TO_OTHERS * read_with_each)
    chunks = min(most, max(1, size.pages), max(1, round(size.total_bytes / chunk_bytes)))
    starts = [size.pages * chunk // chunks for chunk in range(chunks)]
    return list(zip(starts, [*starts[1:], None], strict=True))


def copy_of(selected: sql.Composable, source: sql.Composable, conditions: Sequence[sql.Composable] = ()) -> str:
    """Return the COPY of rows that meet all conditions.

    Args:
        source: has the rows under the alias t0.
    """
    query = sql.SQL("SELECT {} FROM {}").format(selected, source)
    if conditions:
        query = sql.SQL("{} WHERE {}").format(query, sql.SQL(" AND ").join(conditions))
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query).as_string(None)


def _ranges(
    table: Table, sizes: Mapping[int, Size], server_version_num: int, read_with_each: int
) -> Iterator[tuple[Heap, int, int | None]]:
    whole = total_bytes(table, sizes)
    for heap in table.heaps:
        size = sizes[heap.oid]
        if server_version_num < TID_RANGE_SCAN or heap.filenode is None:
            yield heap, 0, None
            continue
        share = MAXIMUM_CHUNKS * size.total_bytes // whole if whole else 1
        yield from ((heap, first, end) for first, end in reversed(page_ranges(size, max(1, share), read_with_each)))


def page_conditions(first: int, end: int | None) -> list[sql.Composable]:
    """Return the conditions that a row of the alias t0 lies in the pages [first, end); None: to the end of the heap."""
    conditions: list[sql.Composable] = []
    if first:
        conditions.append(sql.SQL("t0.ctid >= {}::tid").format(sql.Literal(f"({first},0)")))
    if end is not None:
        conditions.append(sql.SQL("t0.ctid < {}::tid").format(sql.Literal(f"({end},0)")))
    return conditions
