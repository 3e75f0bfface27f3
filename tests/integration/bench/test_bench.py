"""The benchmark on few rows, with real servers: its rows, its result, and its end."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from local import postgres
from local.bench import builds, dataset, jdbc, services, turns, window
from local.bench.__main__ import HOME
from local.bench.builds import THIS
from local.bench.contestants import DEFINITIONS
from local.bench.errors import DriverUnavailableError
from local.console import Progress
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
ROWS = 20_000


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    with contextlib.suppress(DriverUnavailableError):  # what `make bench` has downloaded, or now for it too
        (folder / "jdbc").symlink_to(jdbc.ensure(HOME / "jdbc").parents[4])
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.PostgresServer]:
    with postgres.temporary_server(password="bench") as running:
        yield running


def start(home: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "local.bench",
        "--rows",
        str(ROWS),
        "--rounds",
        "1",
        "--patience",
        "0",
        "--home",
        str(home),
        *options,
    ]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def digest(url: str) -> str:
    """A hash over all rows of all tables."""
    with psycopg.connect(url) as connection:
        queries = (
            f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {table} t" for table in dataset.TABLES
        )
        return " ".join(str(connection.execute(query).fetchone()) for query in queries)


def test_given_dataset_when_made_twice_then_the_same_rows_as_many_as_promised(server: postgres.PostgresServer) -> None:
    data, notes = dataset.of_size(ROWS), []

    url = dataset.ensure(server, data, notes.append)
    first = digest(url)
    server.drop_database(data.name)
    dataset.ensure(server, data, notes.append)

    assert digest(url) == first
    with psycopg.connect(url) as connection:
        counted = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone() for t in dataset.TABLES}
        foreign_keys = connection.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"
        ).fetchone()
        states = connection.execute("SELECT DISTINCT state FROM task_instance ORDER BY 1").fetchall()
    assert counted == {table: (data.runs * per_run,) for table, per_run in dataset.ROWS_PER_RUN.items()}
    assert foreign_keys == (7,)
    assert states == [("failed",), ("skipped",), ("success",)]
    assert "kept" not in "".join(notes)


def test_given_rows_that_were_updated_when_made_then_the_heap_has_holes_and_is_not_in_the_order_of_time(
    server: postgres.PostgresServer,
) -> None:
    with psycopg.connect(dataset.ensure(server, dataset.of_size(ROWS), print)) as connection:
        pages = connection.execute(
            "SELECT count(DISTINCT (ctid::text::point)[0]), pg_relation_size('task_instance') / 8192 FROM task_instance"
        ).fetchone()
        old, new = connection.execute(
            "SELECT min((ctid::text::point)[0]), max((ctid::text::point)[0]) FROM task_instance WHERE try_number = 2"
            " AND start_date > (SELECT max(queued_at) FROM dag_run)"
        ).fetchone() or (None, None)
    assert pages is not None
    assert pages[0] < 0.6 * pages[1]  # the rest was left by updates
    assert new - old < 3  # rows of 24 runs over the whole year, beside each other since they ran again


def test_given_making_that_was_interrupted_when_asked_for_again_then_continued_with_the_same_rows_at_the_end(
    server: postgres.PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset.of_size(ROWS // 2)
    monkeypatch.setattr(dataset, "SLICE_RUNS", 100)
    url = dataset.ensure(server, data, print)
    expected = digest(url)
    server.drop_database(data.name)
    take, taken = dataset._take, list[dataset.Step]()

    def taking(connection: psycopg.Connection, step: dataset.Step) -> None:
        taken.append(step)
        if step == dataset.Step("task_instance", 200, 300):
            raise KeyboardInterrupt
        take(connection, step)

    monkeypatch.setattr(dataset, "_take", taking)
    with pytest.raises(KeyboardInterrupt):
        dataset.ensure(server, data, print)
    before, taken[:] = list(taken), []
    monkeypatch.setattr(dataset, "_take", lambda connection, step: (taken.append(step), take(connection, step)))

    dataset.ensure(server, data, print)

    assert digest(url) == expected
    assert taken[0] == dataset.Step("task_instance", 200, 300)
    assert not {step for step in taken if step.part in ("definitions", "dag_run")}
    assert dataset.Step("dag_run", 0, 100) in before


def test_given_database_that_was_not_finished_when_asked_for_then_made_again(server: postgres.PostgresServer) -> None:
    data = dataset.of_size(4_000, ("log",))
    server.create_database(data.name)

    url = dataset.ensure(server, data, print)

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM log").fetchone() == (data.rows,)


@pytest.mark.slow
def test_given_few_rows_when_measured_then_every_contestant_has_figures_and_nothing_is_left_running(home: Path) -> None:
    process = start(home, "--sample-rows", "4000", "--parts", "contest")
    output, _ = process.communicate(timeout=1000)

    assert process.returncode == 0, output
    measured = json.loads((home / "result.json").read_text())
    figures = {each["key"]: each for each in measured["contest"]}
    assert len(figures) + len(measured["unavailable"]) == 5
    assert {"engine", "pg_dump-j2", "pg_dump-j1"} <= set(figures)
    assert all(each["wall_seconds"]["median"] > 0 and each["output_bytes"] > 0 for each in figures.values())
    assert figures["engine"]["peak_bytes"]["python"] > 10_000_000
    assert measured["spark_start_seconds"]["median"] > 0
    assert figures["engine"]["csv_bytes"] == pytest.approx(csv_bytes(home), abs=1)
    assert "wall time over pg_dump" in output
    assert postgres.find(home / "postgres") is None


def csv_bytes(home: Path) -> int:
    """Bytes of the CSV that PostgreSQL itself makes of the benchmark's main database."""
    size = 0
    with (
        postgres.start(home / "postgres", password="bench") as running,
        psycopg.connect(running.url(dataset.of_size(ROWS).name)) as connection,
    ):
        for table in (*DEFINITIONS, *dataset.TABLES):
            with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT csv, HEADER)") as copy:
                size += sum(len(block) for block in copy)
    return size


@pytest.mark.slow
def test_given_window_when_exported_by_groups_at_once_and_by_hand_then_the_same_rows_and_postgresql_knows_its_work(
    home: Path,
) -> None:
    [newest] = window.windows([dataset.of_size(4_000)])
    planned = builds.plan(THIS)
    definitions, runs, tasks, logs, *_ = planned["groups"]
    # Two Spark starts instead of one a group.
    rest = runs | {"tables": [*definitions["tables"], *runs["tables"], *tasks["tables"]]}
    second = home / "second"
    second.mkdir()
    with services.running(second) as running:
        services.prepare(running, [newest.data], print)
        entrants = [window.engine(newest, THIS, planned | {"groups": [rest, logs]}), window.psql(newest)]
        figures = turns.take(running, entrants, turns.Conditions(1, 0), Progress())
    engine, psql = (window.row(name, newest, each, 0.0) for name, each in zip(("engine", "psql"), figures, strict=True))

    touched = 24 * (1 + 6 + 4)
    assert engine["rows"] == psql["rows"] >= newest.runs * 20 + touched
    assert engine["rows"] < newest.data.rows / 2
    for each in (engine, psql):
        assert each["pages_read"] > 100
        assert each["statement_seconds"]["rows"] > 0
        assert each["statement_seconds"]["look"] > 0
    assert sum(engine["statement_seconds"].values()) <= engine["cpu_seconds"]["postgres"] + 0.1


@pytest.mark.slow
def test_given_running_benchmark_when_interrupted_then_servers_and_contestant_are_ended(home: Path) -> None:
    process = start(home, "--parts", "memory")
    assert process.stdout is not None
    for line in process.stdout:
        if "..." in line and "Spark's start" in line:
            break
    benchmark = psutil.Process(process.pid)
    wait_until(lambda: len(benchmark.children(recursive=True)) > 1, "a server and a contestant")
    started = benchmark.children(recursive=True)

    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=180)

    assert process.returncode == 130, output
    assert "stopped" in output
    assert not psutil.wait_procs(started, timeout=180)[1]
    assert postgres.find(home / "postgres") is None
