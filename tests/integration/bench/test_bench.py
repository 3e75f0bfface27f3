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
from local.bench import dataset, jdbc
from local.bench.__main__ import HOME
from local.bench.contestants import DEFINITIONS
from local.bench.errors import DriverUnavailableError
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
    assert counted == {table: (data.runs * per_run,) for table, per_run in dataset.ROWS_PER_RUN.items()}
    assert foreign_keys == (7,)
    assert "kept" not in "".join(notes)


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
