import csv
import dataclasses
import io
from itertools import pairwise

import pytest
from metadata_export.arguments import parse_arguments
from metadata_export.errors import SourceError
from metadata_export.parts import MIB
from metadata_export.plan import (
    CHUNK_BYTES,
    MAXIMUM_CHUNKS,
    Extract,
    bundle,
    copy_statements,
    csv_header,
    page_ranges,
    plan_extracts,
    select_tables,
    window_rules,
)
from metadata_export.window import Window

from tests.unit.glue.conftest import catalog, table
from tests.unit.glue.test_arguments import argv


@pytest.mark.parametrize(
    ("pages", "total_bytes", "chunks"),
    [(0, 0, 1), (1, 100 * CHUNK_BYTES, 1), (1000, CHUNK_BYTES // 2, 1), (100_000, 8 * CHUNK_BYTES, 8),
     (10**8, 10**6 * CHUNK_BYTES, MAXIMUM_CHUNKS)],
    ids=["empty", "one page, much TOAST", "small", "large", "enormous"],
)  # fmt: skip
def test_given_a_table_then_its_ranges_cover_every_page_once_and_the_last_is_open(
    pages: int, total_bytes: int, chunks: int
) -> None:
    ranges = page_ranges(table("t", "a", total_bytes=total_bytes, pages=pages))
    assert len(ranges) == chunks
    assert ranges[0][0] == 0
    assert ranges[-1][1] is None
    assert all(end == start for (_, end), (start, _) in pairwise(ranges))
    assert all(end is None or first < end for first, end in ranges)


def test_given_a_large_table_then_the_end_of_its_heap_comes_first() -> None:
    large = table("log", "id dttm@", total_bytes=3 * CHUNK_BYTES, pages=300)
    statements = copy_statements(large, Window(catalog(large), {"log": "full"}, None), 140_000)
    assert statements == [
        f'COPY (SELECT "t0"."id", "t0"."dttm" FROM ONLY "public"."log" AS t0 WHERE {where}) TO STDOUT (FORMAT csv)'
        for where in (
            "t0.ctid >= '(200,0)'::tid",
            "t0.ctid >= '(100,0)'::tid AND t0.ctid < '(200,0)'::tid",
            "t0.ctid < '(100,0)'::tid",
        )
    ]


def test_given_a_server_without_tid_range_scans_then_a_table_is_one_statement() -> None:
    large = table("log", "id", total_bytes=30 * CHUNK_BYTES, pages=3000)
    (statement,) = copy_statements(large, Window(catalog(large), {"log": "full"}, None), 139_999)
    assert "ctid" not in statement


def test_given_a_partitioned_table_then_its_partitions_are_read_through_it() -> None:
    parent = dataclasses.replace(table("log", "id", total_bytes=30 * CHUNK_BYTES, pages=3000), partitioned=True)
    (statement,) = copy_statements(parent, Window(catalog(parent), {"log": "full"}, None), 180_000)
    assert 'FROM "public"."log"' in statement


@pytest.mark.parametrize(
    "names",
    [["id", "group"], ["a,b", 'quo"te', "new\nline", "cr\r", " space "], ["ünï"], []],
    ids=["plain", "hostile", "unicode", "none"],
)
def test_given_column_names_then_a_csv_reader_reads_them_back(names: list[str]) -> None:
    text = csv_header(names).decode()
    assert text.endswith("\n")
    assert next(csv.reader(io.StringIO(text, newline=""))) == names


def test_given_the_live_catalog_then_it_alone_decides_what_is_skipped_and_unknown() -> None:
    live = catalog(table("dag_run", "id"), table("celery_x", "id"), table("session", "id"), table("mine", "id"))
    known = '["dag_run", "session", "sla_miss"]'
    tables = '[{"table": "dag_run", "window": "run"}, {"table": "sla_miss", "window": "date"}]'
    arguments = parse_arguments(argv(EXPORT_TABLES=tables, CATALOGUED_TABLES=known, EXCLUDE_TABLES='["mine"]'))
    selection = select_tables(arguments, live)
    assert selection.rules == {"dag_run": "run", "celery_x": "full"}
    assert selection.skipped == {"sla_miss": "not in this Airflow version's schema"}
    assert selection.uncatalogued == ("celery_x",)

    # AND without the registry's names nothing is unknown
    assert select_tables(parse_arguments(argv(EXPORT_TABLES=tables)), live).uncatalogued == ()


@pytest.mark.parametrize(
    ("live", "skipped"),
    [
        (["dag_run"], ["job", "sla_miss"]),
        (["job"], ["sla_miss"]),
    ],
    ids=["Airflow without the group's tables", "one of the group's tables"],
)
def test_given_a_sign_of_airflow_then_absent_tables_are_skipped(live: list[str], skipped: list[str]) -> None:
    tables = '[{"table": "job", "window": "date"}, {"table": "sla_miss", "window": "date"}]'
    selection = select_tables(parse_arguments(argv(EXPORT_TABLES=tables)), catalog(*(table(n, "id") for n in live)))
    assert sorted(selection.skipped) == skipped


@pytest.mark.parametrize("live", [[], ["orders"]], ids=["empty", "of something else"])
@pytest.mark.parametrize("tables", ['[{"table": "job", "window": "date"}]', "[]"], ids=["tables", "unknown ones only"])
def test_given_a_database_without_airflow_then_nothing_passes_for_an_export(live: list[str], tables: str) -> None:
    arguments = parse_arguments(argv(EXPORT_TABLES=tables, CATALOGUED_TABLES='["job"]'))
    with pytest.raises(SourceError, match=r"'AirflowMetadata' has neither dag_run nor any table of the group runs"):
        select_tables(arguments, catalog(*(table(name, "id") for name in live)))


def test_given_a_group_then_the_largest_table_comes_first_under_its_own_key() -> None:
    live = catalog(table("dag_run", "id state", total_bytes=10), table("xcom", "key", total_bytes=99))
    tables = '[{"table": "dag_run", "window": "run"}, {"table": "xcom", "window": "follow"}]'
    arguments = parse_arguments(argv(EXPORT_TABLES=tables, CUTOFF="null"))
    selection = select_tables(arguments, live)
    extracts = plan_extracts(arguments, Window(live, window_rules(live, selection), None), selection)
    assert [(each.table, each.rule, each.header) for each in extracts] == [
        ("xcom", "follow", b"key\n"),
        ("dag_run", "run", b"id,state\n"),
    ]
    assert extracts[0].key == "exports/env-backups/2026/12/11/xcom_143022.csv.gz"


def extract(number: int, size: int) -> Extract:
    return Extract(f"t{number}", f"k{number}", "full", (), ("COPY",), size)


def test_given_many_small_tables_then_few_tasks_share_them() -> None:
    extracts = [extract(number, 20_000) for number in range(60)] + [extract(99, 500 * MIB)]
    groups = bundle(extracts, tasks=3)
    assert [len(group) for group in groups] == [20, 20, 20]
    assert sorted(each.table for group in groups for each in group) == sorted(each.table for each in extracts[:-1])


def test_given_small_tables_that_are_much_together_then_there_are_more_tasks() -> None:
    groups = bundle([extract(number, 8 * MIB) for number in range(40)], tasks=3)
    assert max(sum(each.total_bytes for each in group) for group in groups) <= 32 * MIB


def test_given_fewer_tables_than_tasks_then_no_task_is_empty() -> None:
    assert bundle([extract(1, 1)], tasks=3) == [[extract(1, 1)]]
    assert bundle([], tasks=3) == []
