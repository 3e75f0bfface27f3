"""`query`: SQL over exports in S3, from csv.gz and from the cache."""

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from export_cli.query import loading
from export_cli.query.cache import Cache
from export_cli.query.connection import connected, interruptible
from tests.unit.cli.made import HOSTILE, Made

RUNS = [
    ["id", "dag_id", "state", "conf", "start_date", "ok", "cost"],
    ["1", "007", "success", "\\x00ff", "2026-12-11 14:30:22.000001+00", "t", "1.5"],
    ["2", HOSTILE, "", None, None, None, None],
    ["3", "NULL", None, "\\x", "2026-12-12 00:00:00+00", "f", "NaN"],
]
TYPES = ["bigint", "character varying(250)", "text", "bytea", "timestamp with time zone", "boolean", "double precision"]


@pytest.fixture
def ask(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Give a function that runs `query` with a cache of its own."""
    return lambda *arguments: run("query", *arguments, "--cache", str(tmp_path / "cache"))


@pytest.fixture
def export(made: Made) -> Callable[..., Any]:
    """Give a function that makes an export with this dag_run, hours ago."""

    def exporting(hours: int = 3, records: Any = RUNS, types: Any = TYPES, **changes: Any) -> Any:
        tables, kinds = {"dag_run": records, **changes.pop("more", {})}, {"dag_run": types}
        return made.export(timedelta(hours=hours), tables=tables, types=kinds, **changes)

    return exporting


def test_given_an_export_then_every_value_is_as_it_was(export, ask) -> None:
    export()
    answer = ask("SELECT * EXCLUDE export_id FROM dag_run ORDER BY id", "--json")
    assert (answer.code, answer.err) == (0, "")
    names = RUNS[0]
    assert [[row[name] for name in names] for row in answer.json] == [
        [1, "007", "success", "\\x00ff", "2026-12-11T14:30:22.000001+00:00", True, 1.5],
        [2, HOSTILE, "", None, None, None, None],
        [3, "NULL", None, "\\x", "2026-12-12T00:00:00+00:00", False, None],
    ]
    written = ask("SELECT id, dag_id, state, conf FROM public.DAG_RUN ORDER BY id", "-o", "csv").out
    quoted = HOSTILE.replace('"', '""')
    assert written == f'id,dag_id,state,conf\n1,007,success,\\x00ff\n2,"{quoted}","",\n3,NULL,,\\x\n'


def test_given_values_that_a_type_cannot_hold_then_they_are_null_and_told_each_time(export, ask, tmp_path) -> None:
    moments = ["infinity", "0044-03-15 00:00:00+00 BC", "2026-12-11 14:30:22+00", None]
    export(records=[["id", "moment"], *([str(n), moment] for n, moment in enumerate(moments))],
           types=["integer", "timestamp with time zone"])  # fmt: skip
    for times in range(3):
        if times == 2:  # the cache is too large by a byte, so one file of it goes
            kept = [path.stat().st_size for path in (tmp_path / "cache" / "data").rglob("*") if path.is_file()]
            assert ask("SELECT 1 FROM dag_run", "--cache-limit", str((sum(kept) - 1) / 1024**3)).code == 0
        answer = ask("SELECT count(*) AS n, count(moment) AS moments FROM dag_run", "--json")
        assert answer.json == [{"n": 4, "moments": 1}]
        assert "2 values of moment shown as NULL" in answer.err


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
        ("SELECT * FROM '/etc/passwd.csv'", "disabled by configuration"),
        ("COPY (SELECT 1) TO 'x.csv'", "Only SELECT"),
        ("SET enable_external_access = true", "Only SELECT"),
        ("EXPLAIN SELECT 1", "exports are read and never changed"),
        ("SHOW TABLES", "query --tables lists all"),
        ("SELECT count(*) FROM (SHOW ALL TABLES)", "query --tables lists all"),
        ("SELECT 1; SELECT 2", "One SELECT"),
        ("SELECT nothing FROM dag_run", "nothing"),
        ("SELECT 1 FROM dagrun", "There is no table dagrun; there are dag_run"),
        ("SELEC 1", "syntax error"),
        ("slowest", "There is no question 'slowest'. Allowed is SQL or one of: "),
    ],
)
def test_given_sql_that_may_not_or_cannot_run_then_it_is_refused(export, ask, sql, told) -> None:
    export()
    answer = ask(sql)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


@pytest.mark.parametrize("sql", ["DESCRIBE dag_run", "SHOW dag_run", "FROM (DESCRIBE dag_run)"])
def test_given_a_table_that_is_only_described_then_it_is_there(export, ask, sql) -> None:
    export()
    assert [row["column_name"] for row in ask(sql, "--json").json] == [*RUNS[0], "export_id"]


def test_given_what_was_read_once_then_it_is_there_without_network(export, made, ask, tmp_path) -> None:
    first = export(7)
    sql = "SELECT count(*) AS n FROM dag_run"
    assert ask(sql, "--json").json == [{"n": 3}]
    for name in [first.details["dag_run"].key, "exports/prod-backups/latest.json"]:
        made.s3.delete_object(Bucket="prod-exports", Key=name)
    assert ask(sql, "--json", "--offline").json == [{"n": 3}]
    assert ask(sql, "--json", "--offline", "-e", "prod", "--export", first.export_id).json == [{"n": 3}]
    assert ask(sql, "--json", "--offline", "--history").json == [{"n": 3}]
    assert ask(sql, "--offline", "-e", "other").code == 4
    assert ask(sql).code == 4
    for damaged in ("", "[]", '{"prod": null}'):
        (tmp_path / "cache" / "environments.json").write_text(damaged)
        assert ask(sql, "--offline").code == 4


def test_given_a_limit_then_the_cache_keeps_no_more(export, ask, tmp_path) -> None:
    export()
    assert ask("SELECT 1 FROM dag_run", "--cache-limit", "0").code == 0
    assert list((tmp_path / "cache" / "data").rglob("*.parquet")) == []
    assert list((tmp_path / "cache").glob("tmp-*")) == []
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("left", [0, -40], ids=["empty", "cut off"])
def test_given_a_kept_file_that_is_not_whole_then_it_is_read_anew(export, ask, tmp_path, left) -> None:
    export()
    sql = ("SELECT count(*) AS n FROM dag_run", "--json")
    assert ask(*sql).json == [{"n": 3}]
    [kept] = (tmp_path / "cache" / "data").rglob("*.parquet")
    kept.write_bytes(kept.read_bytes()[:left])
    assert ask(*sql, "--offline").code == 4
    assert ask(*sql).json == ask(*sql, "--offline").json == [{"n": 3}]


def test_given_a_full_disk_then_it_is_said_and_nothing_is_left(export, ask, monkeypatch, tmp_path) -> None:
    export(records=[RUNS[0], *([str(number), *RUNS[1][1:]] for number in range(2000))])

    def converted_on_a_full_disk(*arguments: Any, convert: Any = loading._convert) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            convert(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(loading, "_convert", converted_on_a_full_disk)
    answer = ask("SELECT * FROM dag_run")
    assert (answer.code, answer.out) == (5, "")
    assert "as Parquet" in answer.err
    assert "Make room, or name another folder with --cache." in answer.err
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and "data" in path.parts] == []
    assert list((tmp_path / "cache").glob("tmp-*")) == []


def test_given_no_room_for_what_does_not_fit_into_memory_then_it_is_no_fault_of_the_sql(
    export, ask, monkeypatch
) -> None:
    def small(temporary: Path) -> duckdb.DuckDBPyConnection:
        connection = connected(temporary)
        connection.execute("SET memory_limit = '30MB'; SET max_temp_directory_size = '1MB'")
        return connection

    export()
    monkeypatch.setattr("export_cli.query.database.connected", small)
    answer = ask("SELECT count(*) FROM (SELECT DISTINCT range FROM range(5000000)), dag_run")
    assert (answer.code, answer.out) == (5, "")
    assert "Make room, or name another folder with --cache." in answer.err


def test_given_a_command_that_was_killed_then_the_next_removes_what_it_left_and_nothing_of_one_at_work(
    export, ask, tmp_path
) -> None:
    export()
    cache = tmp_path / "cache"
    left = cache / "tmp-killed"
    (left / "spill").mkdir(parents=True)
    with Cache(cache, 0).opened() as at_work:
        assert ask("SELECT 1 FROM dag_run").code == 0
        assert at_work.is_dir()
    assert not left.exists()
    assert [path.stat().st_mode & 0o077 for path in (cache / "data", cache / "objects")] == [0, 0]


def test_given_an_object_that_was_damaged_then_no_row_of_it_is_shown(export, made, ask) -> None:
    entry = export().details["dag_run"]
    made.put(entry.key, made.body(entry.key)[:-1] + b"x")
    answer = ask("SELECT * FROM dag_run")
    assert (answer.code, answer.out) == (1, "")
    assert "is not what the summary says" in answer.err


def test_given_a_day_then_its_newest_complete_export_answers(export, ask) -> None:
    old, new = export(60, [["id"], ["1"]], ["integer"]), export(3, [["id"], ["2"]], ["integer"])
    for export_id, number in ((old.export_id, 1), (new.export_id, 2)):
        day = f"{export_id[:4]}-{export_id[4:6]}-{export_id[6:8]}"
        assert ask("SELECT id FROM dag_run", "--json", "--export", day).json == [{"id": number}]
    assert "There is no COMPLETE export of 2020-01-01" in ask("SELECT 1", "--export", "2020-01-01").err
    assert "2020-99-01 is no day" in ask("SELECT 1", "--export", "2020-99-01").err


def test_given_columns_of_one_name_then_none_is_lost(export, ask) -> None:
    export()
    sql = 'SELECT 1 AS id, 2 AS id, 3 AS "ID" FROM dag_run LIMIT 1'
    assert ask(sql, "--json").json == [{"id": 1, "id_1": 2, "ID_2": 3}]
    assert ask(sql, "-o", "csv").out == "id,id_1,ID_2\n1,2,3\n"


def test_given_a_file_then_its_ending_says_what_is_written(export, ask, tmp_path) -> None:
    export()
    written = {ending: tmp_path / f"runs.{ending}" for ending in ("csv", "json", "parquet")}
    for file in written.values():
        assert ask("SELECT id FROM dag_run ORDER BY 1;", "--to", str(file)).code == 0
    assert written["csv"].read_text() == "id\n1\n2\n3\n"
    assert json.loads(written["json"].read_text()) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert duckdb.read_parquet(str(written["parquet"])).fetchall() == [(1,), (2,), (3,)]
    assert ask("SELECT 1", "--to", "runs.xlsx").code == ask("SELECT 1", "-o", "parquet").code == 2


def test_given_names_that_differ_in_case_or_have_quotes_then_each_is_there(export, ask) -> None:
    more = {'Odd "name"': [["id", "Id", 'a"b'], ["1", "2", "3"]], "celery.celery_taskmeta": [["id"], ["9"]]}
    export(more=more)
    assert ask('SELECT * EXCLUDE export_id FROM "Odd ""name"""', "--json").json == [
        {"id": "1", "Id_1": "2", 'a"b': "3"}
    ]
    assert ask("SELECT id FROM celery.celery_taskmeta", "--json").json == [{"id": "9"}]
    listed = {row["table"]: row["key"] for row in ask("--tables", "--json").json}
    assert listed == {'Odd "name"': [], "celery.celery_taskmeta": ["id"], "dag_run": ["id"]}
    assert "bytea" in ask("--schema", "dag_run").out


ENDLESS = "FROM range(1000000) a(x), range(1000000) b(y) WHERE hash(x + y) % 7"


@pytest.mark.timeout(120, method="thread")  # what does not hear Ctrl-C would hold up every other test
@pytest.mark.parametrize(
    ("select", "file"),
    [("SELECT count(*)", None), ("SELECT 1", "some.parquet"), ("SELECT DISTINCT x", "some.csv")],
)
def test_given_ctrl_c_then_the_statement_ends_and_nothing_is_left(export, ask, tmp_path, select, file) -> None:
    export()
    timer = threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    answer = ask(f"{select} {ENDLESS} = 1", *(("--to", str(tmp_path / file)) if file else ()))
    timer.join()
    assert (answer.code, answer.out, answer.err.strip()) == (130, "", "Interrupted.")
    assert list((tmp_path / "cache").glob("tmp-*")) == list(tmp_path.glob("*some*")) == []


@pytest.mark.timeout(120, method="thread")
def test_given_ctrl_c_between_two_statements_then_the_next_ends(tmp_path) -> None:
    reached = []

    def work() -> None:
        time.sleep(1)  # Ctrl-C comes, and no statement runs
        reached.append("first")
        connection.execute(f"SELECT count(*) {ENDLESS} = 1")
        reached.append("second")

    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    with connected(tmp_path) as connection:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            interruptible(connection, work)
    assert reached == ["first"]
