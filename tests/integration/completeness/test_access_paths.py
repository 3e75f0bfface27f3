"""By index and by pages the same rows are read, those of the oracle, of every table of every version."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg
import pytest
from metadata_export import access, plan, statements
from plan_export.table_registry import TABLES
from psycopg import sql
from psycopg.rows import dict_row

from tests.integration.completeness.databases import CHOSEN, UPGRADED, Databases
from tests.integration.completeness.live_catalog import LiveCatalog, read_live_catalog
from tests.integration.completeness.oracle import Oracle
from tests.integration.completeness.reading import Reader, execute, reading
from tests.integration.completeness.runs import ANCIENT, CUTOFF, NOW, OLD, RECENT
from tests.integration.completeness.test_unknown_tables import VERSION

RULES = {table.name: table.window for table in TABLES}
WAYS = ("index", "index, one look after the other", "pages")
# Of the tables that follow their run alone; the run's own, and the audit log.
BY_INDEX = {"dag_run", "log", "task_instance", "xcom", "rendered_task_instance_fields"}
# Rows out of the order of time, most pages with room in them, and as many statistics as a new database has.
UPDATES = """
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
    EXECUTE format('ALTER TABLE public.%I SET (autovacuum_enabled = off, fillfactor = 50)', t);
  END LOOP;
END $$
"""
SHUFFLE = (
    "UPDATE dag_run SET run_type = run_type WHERE id % 3 = 0",
    "UPDATE task_instance SET pool = pool WHERE hashtext(task_id || run_id) % 2 = 0",
    "UPDATE xcom SET key = key WHERE hashtext(run_id) % 3 = 1",
    "UPDATE log SET event = event WHERE id % 2 = 0",
    "UPDATE dag_run SET run_type = run_type WHERE id % 2 = 0",
)
MORE_TASKS = """
INSERT INTO task_instance SELECT (jsonb_populate_record(t, jsonb_build_object(
    'id', gen_random_uuid(), 'map_index', 1000 + g))).*
FROM task_instance t, generate_series(1, {rows}) g WHERE run_id = '{run}' AND task_id = 'mapped'
"""
MORE_XCOMS = """
INSERT INTO xcom SELECT (jsonb_populate_record(x, jsonb_build_object(
    'map_index', 1000 + g, 'value', repeat('v', 200)))).*
FROM xcom x, generate_series(1, {rows}) g WHERE run_id = '{run}' AND task_id = 'mapped'
"""


@pytest.fixture
def many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages be what megabytes are."""
    monkeypatch.setattr(plan, "SMALL_TABLE_BYTES", 0)
    monkeypatch.setattr(statements, "SMALL_TABLE_BYTES", 0)
    monkeypatch.setattr(statements, "CHUNK_BYTES", 16 * 1024)


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, many_chunks: None) -> str:
    """Take this way wherever there is one."""
    chosen, _, other = request.param.partition(",")
    if other:
        monkeypatch.setattr(access, "MAXIMUM_STARTS", 0)
    monkeypatch.setattr(access, "is_cheaper", lambda index, pages: chosen == "index")
    return str(chosen)


every_way = pytest.mark.parametrize("way", WAYS, indirect=True)


@dataclass(frozen=True)
class Aged:
    """A database with aged data."""

    url: str
    catalog: LiveCatalog

    @cached_property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        with psycopg.connect(self.url) as connection:
            return {table: _rows(connection, table) for table in self.catalog.columns}

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle(self.catalog, self.rows, dict.fromkeys(self.catalog.columns, "full") | RULES, CUTOFF)

    def positions(self, table: str) -> list[str]:
        """Where the rows lie that must be exported."""
        return [self.rows[table][number]["ctid"] for number in self.oracle.exported(table)]

    def differing(self, reader: Reader) -> list[str]:
        """Return the tables whose rows are not those of the oracle."""
        return [
            name
            for name, extract in reader.extracts.items()
            if name in self.catalog.columns and reader.lines(extract) != reader.lines_at(extract, self.positions(name))
        ]


def _rows(connection: psycopg.Connection[Any], table: str) -> list[dict[str, Any]]:
    query = sql.SQL("SELECT ctid::text AS ctid, * FROM {}").format(sql.Identifier("public", table))
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def aged_database(databases: Databases, kind: str, *statements_: str) -> Aged:
    url, _ = databases.aged(kind)
    execute(url, UPDATES, *SHUFFLE, *statements_)
    with psycopg.connect(url) as connection:
        return Aged(url, read_live_catalog(connection))


@pytest.fixture(scope="module", params=(*CHOSEN, UPGRADED))
def aged(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Aged]:
    return aged_database(databases, request.param)


@pytest.fixture
def newest(databases: Databases) -> Aged:
    return aged_database(databases, VERSION)


def by_index(reader: Reader) -> set[str]:
    return {name for name, extract in reader.extracts.items() if extract.access.path == "index"}


@every_way
@pytest.mark.parametrize("analyzed", [False, True], ids=["never analyzed", "analyzed"])
def test_every_way_reads_the_rows_of_the_oracle(aged: Aged, way: str, analyzed: bool) -> None:
    if analyzed:
        execute(aged.url, "ANALYZE")
    with reading(aged.url) as reader:
        assert aged.differing(reader) == []
        assert BY_INDEX - by_index(reader) == (set() if way == "index" else BY_INDEX)
        assert max(len(extract.statements) for extract in reader.extracts.values()) > 1


@pytest.mark.parametrize("way", WAYS[:2], indirect=True)
@pytest.mark.parametrize("analyzed", [False, True], ids=["never analyzed", "analyzed"])
def test_no_statement_by_index_reads_a_table_from_its_start_to_its_end(newest: Aged, way: str, analyzed: bool) -> None:
    if analyzed:
        execute(newest.url, "ANALYZE")
    with reading(newest.url) as reader:
        plans = [reader.plan_of(each) for name in by_index(reader) for each in reader.extracts[name].statements]
    assert len(plans) > 20
    for found in plans:
        scans = [line for line in found.splitlines() if " Scan using " in line or "Bitmap Index Scan" in line]
        loose = found.count("Recursive Union")  # begins at the first row of the index, and joins what it has found
        assert found.count("Index Cond") + loose == len(scans) > 0, found
        assert not re.search("Seq Scan|Sort|Merge" if loose else "Seq Scan|Hash|Sort|Merge", found), found


@every_way
def test_a_huge_run_is_several_statements_and_each_of_its_rows_is_in_one(
    databases: Databases, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a run of the window and an old one with thousands of mapped tasks, the rows of both among each other
    more = [each.format(rows=3000, run=run) for each in (MORE_TASKS, MORE_XCOMS) for run in ("recent", "old")]
    if VERSION.startswith("2"):
        pytest.skip("the values of xcom are another type")
    aged = aged_database(databases, VERSION, *more, "UPDATE task_instance SET pool = pool WHERE map_index % 7 = 0")
    monkeypatch.setattr(statements, "CHUNK_BYTES", 256 * 1024)

    # WHEN it is exported
    with reading(aged.url) as reader:
        assert aged.differing(reader) == []
        found = reader.extracts

    # THEN the huge run of the window has statements of its own
    if way == "index":
        for table in ("task_instance", "xcom"):
            ranges = [each for each in found[table].statements if "enable_nestloop" in each.forbidden]
            assert len(ranges) > 2
            assert all("ctid >= " in each.copy and "ctid < " in each.copy for each in ranges)
            assert len(found[table].statements) >= len(ranges) + 3


@every_way
def test_an_empty_window_is_files_without_rows(databases: Databases, way: str) -> None:
    url = databases.empty(VERSION)
    with reading(url) as reader:
        for name in BY_INDEX:
            assert reader.lines(reader.extracts[name]) == [b""]
            assert reader.extracts[name].statements


@pytest.mark.parametrize("way", ["index"], indirect=True)
def test_a_window_after_everything_reads_what_is_not_finished_alone(newest: Aged, way: str) -> None:
    with reading(newest.url, cutoff=NOW.replace(year=2040), MAX_AGE_IN_DAYS="1") as reader:
        oracle = Oracle(
            newest.catalog,
            newest.rows,
            dict.fromkeys(newest.catalog.columns, "full") | RULES,
            NOW.replace(year=2040),
        )
        for name in ("dag_run", "task_instance", "xcom", "log"):
            positions = [newest.rows[name][number]["ctid"] for number in oracle.exported(name)]
            extract = reader.extracts[name]
            assert reader.lines(extract) == reader.lines_at(extract, positions)
        assert len(oracle.exported("dag_run")) > 2


@pytest.mark.parametrize("way", ["index"], indirect=True)
@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("DROP INDEX ti_dag_run", set()),
        ("DROP INDEX idx_xcom_task_instance", {"xcom"}),
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_log_dttm'::regclass", {"log"}),
        ("CREATE INDEX of_some ON log (dttm) WHERE id > 0; DROP INDEX idx_log_dttm", {"log"}),
        ("CREATE INDEX by_hash ON log USING hash (dttm); DROP INDEX idx_log_dttm", {"log"}),
        ("ALTER TABLE xcom ALTER task_id DROP NOT NULL", set()),
    ],
    ids=["dropped, and another serves", "dropped", "invalid", "partial", "hash", "nothing"],
)
def test_without_an_index_a_table_is_read_by_pages(databases: Databases, way: str, change: str, lost: set[str]) -> None:
    aged = aged_database(databases, VERSION, *([] if "DROP NOT NULL" in change else change.split("; ")))
    with reading(aged.url) as reader:
        assert aged.differing(reader) == []
        assert BY_INDEX - by_index(reader) == lost


@every_way
def test_rows_whose_task_instance_is_missing_are_left_out_by_every_way(databases: Databases, way: str) -> None:
    drop = """DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE xcom DROP CONSTRAINT %I', conname) FROM pg_constraint
        WHERE conrelid = 'xcom'::regclass AND contype = 'f'); END $$"""
    orphan = "UPDATE xcom SET task_id = 'gone' WHERE run_id IN ('recent', 'old') AND task_id = 'extract'"
    aged = aged_database(databases, VERSION)
    runs = aged.oracle.exported_runs()
    execute(aged.url, drop, orphan)
    with reading(aged.url) as reader, psycopg.connect(aged.url) as connection:
        extract = reader.extracts["xcom"]
        query = "SELECT ctid::text FROM xcom WHERE run_id = ANY (%s) AND task_id <> 'gone'"
        kept = [row[0] for row in connection.execute(query, [list(runs)])]
        assert reader.lines(extract) == reader.lines_at(extract, kept)
        assert len(kept) > 10


@every_way
def test_an_xcom_whose_dag_run_id_is_of_another_run_goes_with_its_key(newest: Aged, way: str) -> None:
    execute(
        newest.url,
        "UPDATE xcom SET dag_run_id = (SELECT id FROM dag_run WHERE run_id = 'old'), key = 'moved'"
        " WHERE run_id = 'recent' AND task_id = 'wait'",
    )
    with reading(newest.url) as reader:
        assert newest.differing(reader) == []
        assert b"moved" in b"\n".join(reader.lines(reader.extracts["xcom"]))


@every_way
@pytest.mark.parametrize("made", [OLD, RECENT], ids=["made before the window", "made in the window"])
def test_what_was_written_about_a_run_of_the_window_before_it_is_kept(
    databases: Databases, way: str, made: object
) -> None:
    # GIVEN a run that is dated in the window, and entries of the audit log from before it, about that date
    date = "execution_date" if VERSION.startswith("2") else "logical_date"
    aged = aged_database(
        databases,
        VERSION,
        f"UPDATE dag_run SET queued_at = '{made}' WHERE run_id = 'recent'",
        f"INSERT INTO log (dttm, event, {date}) VALUES ('{ANCIENT}', 'trigger', '{RECENT}')",
    )
    with reading(aged.url) as reader:
        assert aged.oracle.has_early_runs is (made is OLD)
        assert aged.differing(reader) == []
        assert (b"trigger" in b"\n".join(reader.lines(reader.extracts["log"]))) is (made is OLD)


@every_way
def test_a_partitioned_table_is_read_by_pages(databases: Databases, way: str) -> None:
    aged = aged_database(
        databases,
        VERSION,
        "ALTER TABLE log RENAME TO log_rows",
        "CREATE TABLE log (LIKE log_rows INCLUDING DEFAULTS) PARTITION BY RANGE (id)",
        "CREATE INDEX ON log (dttm)",
        "CREATE TABLE log_low PARTITION OF log FOR VALUES FROM (MINVALUE) TO (1300)",
        "CREATE TABLE log_high PARTITION OF log FOR VALUES FROM (1300) TO (MAXVALUE)",
        "INSERT INTO log SELECT * FROM log_rows",
    )
    with reading(aged.url) as reader, psycopg.connect(aged.url) as connection:
        extract = reader.extracts["log"]
        expected = connection.execute("SELECT count(*) FROM log WHERE dttm >= %s OR dttm IS NULL", [CUTOFF]).fetchone()
        assert extract.access.path == "pages"
        found = sum(line.count(b",") > 3 for line in reader.lines(extract))
        assert expected is not None
        assert found >= expected[0] > 0
