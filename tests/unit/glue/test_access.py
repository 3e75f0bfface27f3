"""Which way is taken, and into which statements it is cut. That both ways give the same rows: tests/integration."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_export import access, statements
from metadata_export.access import Access, Reading, cost_by_pages, cost_by_runs, read_statements
from metadata_export.catalog import Catalog, Column, Table
from metadata_export.heavy_runs import HeavyRun, bounds
from metadata_export.index_statements import MAXIMUM_IDS, Slices, statements_by_run
from metadata_export.indexes import Index, Indexes
from metadata_export.row_filter import row_filter
from metadata_export.run_set import run_set
from metadata_export.selected_runs import SelectedRuns
from metadata_export.sizes import PAGE_BYTES, Size
from metadata_export.ways import Way, ways_from_runs
from metadata_export.window import Window, parent_rules
from psycopg import sql

from tests.unit.glue.conftest import catalog, key, table

CUTOFF = datetime(2026, 11, 11, 14, 30, 22, tzinfo=UTC)
RUNS = table("dag_run", "id! dag_id! run_id! state updated_at@")
TASKS = table("task_instance", "id! dag_id! run_id! task_id!", key("dag_run", "dag_id run_id"))
XCOM = table("xcom", "dag_id! run_id! task_id! key!", key("task_instance", "dag_id run_id task_id"))
NOTE = table("note", "ti_id! content", key("task_instance", "ti_id", "id"))
LOOSE = table("loose", "dag_id! run_id!", key("task_instance", "dag_id run_id", "dag_id run_id", enforced=False))
MAYBE = table("maybe", "dag_run_id", key("dag_run", "dag_run_id", "id"))
LOG = table("log", "id! dttm!@ logical_date@")
SPREAD = table("spread", "dag_id! run_id!", heaps=("public.one", "public.two"))
INDEXES = {
    "dag_run": [("dag_run_pkey", "id", True), ("by_key", "dag_id run_id", True)],
    "task_instance": [
        ("ti_dag_run", "dag_id run_id", False),
        ("ti_key", "dag_id task_id run_id", True),
        ("ti", "id", True),
    ],
    "xcom": [("xcom_ti", "dag_id task_id run_id key", False)],
    "note": [("note_ti", "ti_id", True)],
    "loose": [("loose_key", "run_id dag_id", False)],
    "maybe": [("maybe_run", "dag_run_id", False)],
    "log": [("idx_log_dttm", "dttm", False)],
}
LIVE = catalog(RUNS, TASKS, XCOM, NOTE, LOOSE, MAYBE, LOG, SPREAD)
ROWS = {"dag_run": 200_000, "task_instance": 1_200_000, "xcom": 800_000, "note": 1_200_000, "log": 1_800_000}
PAGES = {"dag_run": 7_693, "task_instance": 66_602, "xcom": 36_237, "note": 20_000, "log": 55_026}


def indexes(without: str = "") -> Indexes:
    by_heap = {
        LIVE.tables[name].heaps[0].oid: tuple(
            Index(each, tuple(columns.split()), unique) for each, columns, unique in found if each != without
        )
        for name, found in INDEXES.items()
    }
    density = {LIVE.tables[name].heaps[0].oid: ROWS[name] / PAGES[name] for name in ROWS}
    return Indexes(by_heap, density)


def window(of: Catalog = LIVE, **changes: Any) -> Window:
    runs = changes.pop("runs", run_set(range(1, 101), "text"))
    return Window(of, parent_rules(of) | {"log": "date"}, CUTOFF, runs=runs, early_runs=False, **changes)


def reading(selected: int, *, without: str = "", connection: Any = None) -> Reading:
    sizes = {
        heap.oid: Size(PAGES.get(each.name, 1000), PAGES.get(each.name, 1000) * PAGE_BYTES)
        for each in LIVE.tables.values()
        for heap in each.heaps
    }
    runs = run_set(range(200_000 - selected, 200_000), "integer")
    selection = SelectedRuns(runs, 200_000, False, ())
    return Reading(connection or starts(800), window(runs=runs), indexes(without), sizes, selection)


def starts(number: int) -> MagicMock:
    """A database in which a loose scan finds so many."""
    connection = MagicMock()
    connection.execute.return_value.fetchall.return_value = [(number, "a setting", "off")]
    return connection


def chosen(name: str, selected: int, *, connection: Any = None, without: str = "") -> Access:
    given_ = reading(selected, connection=connection, without=without)
    each = LIVE.tables[name]
    return read_statements(given_, each, row_filter(given_.window, each), (), small=False)[1]


def way(name: str, *, without: str = "", loose: bool = False) -> Way | None:
    found = ways_from_runs(window(), indexes(without), LIVE.tables[name])
    return next((each for each in found if bool(each.loose) is loose), None)


@pytest.fixture
def no_heavy_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "find_heavy_runs", lambda *_: ())


@pytest.mark.parametrize(
    ("name", "hops"),
    [
        ("dag_run", []),
        ("task_instance", ["ti_dag_run"]),
        ("xcom", ["xcom_ti", "ti_dag_run"]),
        ("note", ["note_ti", "ti_dag_run"]),
    ],
)
def test_given_indexes_then_the_way_leads_over_the_foreign_keys_that_they_serve(name: str, hops: list[str]) -> None:
    found = way(name)
    assert found is not None
    assert [hop.index.name for hop in found.hops] == hops
    assert found.index.name == (hops or ["dag_run_pkey"])[0]


@pytest.mark.parametrize(
    ("name", "without", "hops"),
    [
        ("xcom", "", ["xcom_ti"]),
        ("task_instance", "ti_dag_run", ["ti_key"]),
        ("note", "ti_dag_run", ["note_ti", "ti_key"]),
        ("task_instance", "", []),
        ("loose", "", []),
    ],
)
def test_given_an_index_with_columns_between_those_of_the_run_s_key_then_a_way_begins_with_a_loose_scan(
    name: str, without: str, hops: list[str]
) -> None:
    found = way(name, without=without, loose=True)
    assert [hop.index.name for hop in (found.hops if found else ())] == hops
    if found:
        assert found.loose is found.hops[-1]
        assert found.loose.between == ("task_id",)


def test_given_a_column_between_that_may_be_null_then_there_is_no_loose_scan() -> None:
    nullable = replace(XCOM, columns=tuple(replace(each, not_null=each.name != "task_id") for each in XCOM.columns))
    of = catalog(RUNS, TASKS, nullable)
    assert [each for each in ways_from_runs(window(of), indexes(), nullable) if each.loose] == []


@pytest.mark.usefixtures("no_heavy_runs")
@pytest.mark.parametrize(("number", "path"), [(800, "index"), (20_000, "pages"), (20_001, "pages")])
def test_given_many_starts_of_a_loose_scan_then_it_is_not_taken(number: int, path: str) -> None:
    assert chosen("xcom", 30 * 548, connection=starts(number)).path == path


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("dag_run", "dag_run_pkey"),
        ("task_instance", "dag_run_pkey"),
        ("task_instance", "by_key"),
        ("xcom", "ti_dag_run"),
        ("xcom", "xcom_ti"),
        ("xcom", "ti_key"),
        ("loose", ""),
        ("maybe", ""),
        ("log", ""),
        ("spread", ""),
    ],
    ids=["no id", "no id of the run", "keys that may be there twice", "second hop", "first hop", "parents twice",
         "a second parent that may be missing", "no reference", "a date", "partitions"],
)  # fmt: skip
def test_given_rows_that_cannot_each_be_found_once_then_there_is_no_way(name: str, without: str) -> None:
    assert way(name, without=without) is None


def test_given_a_way_then_no_table_can_be_read_before_its_turn() -> None:
    found = way("xcom")
    assert found is not None
    text = found.rows(run_set([7], "integer"), [sql.SQL("t0.ctid < '(9,0)'::tid")]).as_string(None)
    assert [text.count(each) for each in ("OFFSET 0", "CROSS JOIN LATERAL", "t0.ctid", "'{7}'::integer[]")] == [
        3,
        2,
        1,
        1,
    ]
    assert text.index("dag_run") < text.index('"task_instance"') < text.index('"xcom"') < text.index("t0.ctid")


@pytest.mark.usefixtures("no_heavy_runs")
@pytest.mark.parametrize(
    ("name", "days", "path"),
    [("task_instance", 2, "index"), ("task_instance", 30, "index"), ("task_instance", 120, "pages"),
     ("xcom", 2, "index"), ("xcom", 30, "index"), ("xcom", 90, "pages"),
     ("dag_run", 2, "index"), ("dag_run", 364, "pages")],
)  # fmt: skip
def test_given_the_share_of_the_window_then_the_way_is_the_one_that_was_measured_as_cheaper(
    name: str, days: int, path: str
) -> None:
    found = chosen(name, days * 548)
    assert found.path == path
    assert found.estimated_rows == round(ROWS[name] * days * 548 / 200_000)
    assert (found.costs or {})[path] == min((found.costs or {}).values())


def test_given_more_selected_runs_then_an_index_costs_more_and_pages_do_not() -> None:
    shares = [0.0, 0.001, 0.1, 1.0]
    given_, found = reading(0), way("xcom")
    assert found is not None
    costs = [cost_by_runs(given_, found, share) for share in shares]
    assert costs == sorted(costs)
    assert costs[0] == 0
    assert costs[-1] > 10 * cost_by_pages(given_, [XCOM, RUNS])


def test_given_no_index_then_pages_are_read_and_nothing_was_compared() -> None:
    assert chosen("task_instance", 5, without="dag_run_pkey") == Access("pages")


def test_given_a_table_that_was_never_analyzed_then_its_pages_tell_how_many_rows_there_are() -> None:
    heap = LOOSE.heaps[0]
    assert Indexes().rows(heap, 1000) == pytest.approx(1000 * PAGE_BYTES / 200)
    assert replace(reading(0), indexes=Indexes()).rows(TASKS) == pytest.approx(66_602 * PAGE_BYTES / 200)


def ends(oldest: datetime, newest: datetime) -> MagicMock:
    connection = MagicMock()
    connection.execute.return_value.fetchall.return_value = [(oldest.timestamp(), newest.timestamp())]
    return connection


@pytest.mark.parametrize(
    ("oldest", "newest", "path", "rows"),
    [
        (CUTOFF - timedelta(days=97), CUTOFF + timedelta(days=3), "index", 54_000),
        (CUTOFF, CUTOFF + timedelta(days=3), "pages", 1_800_000),
        (CUTOFF - timedelta(days=9), CUTOFF - timedelta(days=3), "index", 0),
        (CUTOFF - timedelta(days=9), CUTOFF - timedelta(days=9), "index", 0),
        (CUTOFF + timedelta(days=9), CUTOFF + timedelta(days=9), "pages", 1_800_000),
    ],
    ids=["three of a hundred days", "nothing older", "nothing newer", "one old moment", "one new moment"],
)
def test_given_the_ends_of_an_index_then_they_tell_how_much_of_a_dated_table_is_in_the_window(
    oldest: datetime, newest: datetime, path: str, rows: int
) -> None:
    found = chosen("log", 5, connection=ends(oldest, newest))
    assert (found.path, found.estimated_rows) == (path, rows)


@given(st.floats(-5.0, 5000.0), st.integers(1, 60))
def test_slices_of_time_cover_every_moment_once(days: float, number: int) -> None:
    column = Column("dttm", "timestamp with time zone", not_null=True, is_timestamp=True)
    found = Slices(column, CUTOFF, CUTOFF + timedelta(days=days), number).bounds()
    assert found[0][0] == CUTOFF
    assert found[-1][1] is None
    assert all(end == start for (_, end), (start, _) in pairwise(found))
    assert all(end is None or start < end for start, end in found)
    assert len(found) <= number


def test_given_a_date_that_may_be_missing_then_rows_without_it_have_a_statement_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statements, "CHUNK_BYTES", 1024 * 1024)
    connection = ends(CUTOFF - timedelta(days=97), CUTOFF + timedelta(days=3))
    given_ = reading(5, connection=connection)
    nullable = replace(LOG, columns=tuple(replace(each, not_null=False) for each in LOG.columns))
    found = [
        read_statements(given_, each, row_filter(given_.window, each), (), small=False)[0] for each in (LOG, nullable)
    ]
    assert [len(each) for each in found] == [13, 14]
    assert "IS NULL" not in "".join(each.copy for each in found[0])
    assert '"t0"."dttm" IS NULL AND (COALESCE(' in found[1][-1].copy


@pytest.mark.parametrize(
    ("runs", "bytes_per_run", "number"),
    [(0, 1, 1), (1, 10**12, 1), (1000, 64 * 1024 * 1024 / 100, 10), (250_000, 0.0, 3), (6000, 10**12, 3000)],
    ids=["no run", "a run larger than a chunk", "ten chunks", "tiny rows", "more chunks than S3 takes parts"],
)
def test_given_the_bytes_of_a_run_then_a_statement_holds_about_a_chunk(
    runs: int, bytes_per_run: float, number: int
) -> None:
    found_way = way("task_instance")
    assert found_way is not None
    ids = run_set(range(runs), "integer")
    found = statements_by_run(found_way, sql.SQL("*"), ids, bytes_per_run, (), window(runs=ids))
    assert len(found) == number
    assert sum(each.copy.count(",") for each in found) >= runs - number
    assert max(len(each.copy) for each in found) < 8 * MAXIMUM_IDS
    assert {each.forbidden for each in found} == {("enable_seqscan", "enable_memoize")}


def test_given_a_heavy_run_then_it_is_in_statements_of_its_own_whose_pages_cover_all_once() -> None:
    found_way = way("xcom")
    assert found_way is not None
    heavy = HeavyRun(run_set([2], "integer"), (10, 20, 30))
    found = statements_by_run(found_way, sql.SQL("*"), run_set([1, 2, 3], "integer"), 1, [heavy], window())
    light, *own = [each.copy for each in found]
    assert "'{1,3}'" in light
    pages = [tuple(part.partition("::")[0] for part in each.split("t0.ctid ")[1:]) for each in own]
    assert pages == [
        ("< '(10,0)'",), (">= '(10,0)'", "< '(20,0)'"), (">= '(20,0)'", "< '(30,0)'"), (">= '(30,0)'",)
    ]  # fmt: skip
    assert all("1,3" not in each for each in own)


@given(st.lists(st.integers(0, 10**7), min_size=1), st.floats(0, 10**12))
def test_bounds_ascend_and_hold_the_whole_sample(pages: list[int], whole: float) -> None:
    found = bounds(pages, whole)
    assert (found[0], found[-1]) == (min(pages), max(pages) + 1)
    assert list(found) == sorted(set(found))
    assert len(found) <= min(len(pages), int(whole / statements.CHUNK_BYTES) + 1) + 1


def test_given_other_tables_that_each_statement_reads_then_a_heap_is_cut_into_few() -> None:
    log = Table("x", "public", 1, RUNS.columns, (), RUNS.heaps)
    size = {heap.oid: Size(100_000, 100 * statements.CHUNK_BYTES) for heap in log.heaps}
    given_ = row_filter(window(), TASKS)
    counts = [
        len(statements.copy_statements(log, given_, size, LIVE, (), each * statements.CHUNK_BYTES))
        for each in (0, 1, 5, 1000)
    ]
    assert counts == [100, 50, 10, 1]
