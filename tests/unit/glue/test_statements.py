from itertools import pairwise

import pytest
from metadata_export.catalog import Table
from metadata_export.row_filter import RowFilter
from metadata_export.sizes import Size
from metadata_export.statements import CHUNK_BYTES, MAXIMUM_CHUNKS, copy_statements, page_ranges

from tests.unit.glue.conftest import catalog, sizes, table

ALL = RowFilter(None)


def copies(each: Table, *, server_version_num: int = 140_000, **size: int) -> list[str]:
    """The COPY statements of a table whose heaps are of one size."""
    live = catalog(each, server_version_num=server_version_num)
    return [statement.copy for statement in copy_statements(each, ALL, sizes(each, **size), live)]


@pytest.mark.parametrize(
    ("pages", "total_bytes", "chunks"),
    [(0, 0, 1), (1, 100 * CHUNK_BYTES, 1), (1000, CHUNK_BYTES // 2, 1), (100_000, 8 * CHUNK_BYTES, 8),
     (10**8, 10**6 * CHUNK_BYTES, MAXIMUM_CHUNKS)],
    ids=["empty", "one page, much TOAST", "small", "large", "enormous"],
)  # fmt: skip
def test_given_a_heap_then_its_ranges_cover_every_page_once_and_the_last_is_open(
    pages: int, total_bytes: int, chunks: int
) -> None:
    ranges = page_ranges(Size(pages, total_bytes))
    assert len(ranges) == chunks
    assert ranges[0][0] == 0
    assert ranges[-1][1] is None
    assert all(end == start for (_, end), (start, _) in pairwise(ranges))
    assert all(end is None or first < end for first, end in ranges)


def test_given_a_large_table_then_the_end_of_its_heap_comes_first() -> None:
    assert copies(table("log", "id dttm@"), total_bytes=3 * CHUNK_BYTES, pages=300) == [
        f'COPY (SELECT "t0"."id", "t0"."dttm" FROM ONLY "public"."log" AS t0 WHERE {where}) TO STDOUT (FORMAT csv)'
        for where in (
            "t0.ctid >= '(200,0)'::tid",
            "t0.ctid >= '(100,0)'::tid AND t0.ctid < '(200,0)'::tid",
            "t0.ctid < '(100,0)'::tid",
        )
    ]


def test_given_a_server_without_tid_range_scans_then_a_heap_is_one_statement() -> None:
    (statement,) = copies(table("log", "id"), server_version_num=139_999, total_bytes=30 * CHUNK_BYTES, pages=3000)
    assert "ctid" not in statement


def test_given_large_partitions_then_each_is_read_by_its_own_name_in_ranges() -> None:
    parted = table("log", "id", heaps=("public.low", "archive.high"))
    found = copies(parted, total_bytes=2 * CHUNK_BYTES, pages=200)
    assert [statement.count("ONLY") for statement in found] == [1, 1, 1, 1]
    assert ['ONLY "archive"."high"' in statement for statement in found] == [False, False, True, True]


def test_given_many_partitions_then_each_statement_checks_the_one_that_it_reads() -> None:
    parted = table("log", "id", heaps=tuple(f"public.p{number}" for number in range(50)))
    statements = copy_statements(parted, ALL, sizes(parted, total_bytes=CHUNK_BYTES), catalog(parted))
    assert [each.changed.count("'log (p") for each in statements] == [1] * 50


def test_given_more_partitions_than_s3_takes_parts_then_each_is_one_statement() -> None:
    parted = table("log", "id", heaps=tuple(f"public.p{number}" for number in range(MAXIMUM_CHUNKS + 1)))
    assert len(copies(parted, total_bytes=9 * CHUNK_BYTES, pages=900)) == MAXIMUM_CHUNKS + 1


def test_given_small_partitions_then_one_statement_reads_them_all() -> None:
    (statement,) = copies(table("log", "id", heaps=("public.low", "archive.high")), total_bytes=10)
    low, high = (f'SELECT "id", tableoid FROM ONLY {heap}' for heap in ('"public"."low"', '"archive"."high"'))
    union = f"{low} UNION ALL {high}"
    assert statement == f'COPY (SELECT "t0"."id" FROM ({union}) AS t0) TO STDOUT (FORMAT csv)'


def test_given_no_partition_then_there_is_a_statement_without_rows() -> None:
    (statement,) = copies(table("log", "id", heaps=()))
    nothing = 'SELECT NULL::text AS "id", NULL::oid AS tableoid WHERE false'
    assert statement == f'COPY (SELECT "t0"."id" FROM ({nothing}) AS t0) TO STDOUT (FORMAT csv)'


def test_given_a_condition_on_another_table_then_that_one_is_checked_too() -> None:
    log, run = table("log", "id"), table("dag_run", "id")
    (statement,) = copy_statements(log, RowFilter(None, frozenset({"dag_run"})), sizes(log, run), catalog(log, run))
    assert [name in statement.changed for name in ("'log'", "'dag_run'")] == [True, True]
