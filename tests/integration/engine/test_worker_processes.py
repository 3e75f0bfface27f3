"""Worker processes that keep their connections: credentials that expire, processes that die, connections that break."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg
import pytest
from metadata_export import source as sources
from metadata_export.errors import CredentialsError, ExportError
from metadata_export.kept_connection import KeptConnection
from metadata_export.processes import ProcessRunner, process_runner
from metadata_export.statements import Statement
from metadata_export.task import Result, Session, TableTask

from local.aws.injection.client import Faults
from local.aws.settings import REGION
from tests.integration.engine.conftest import ROOT, Database, Engine
from tests.waiting import wait_until

LONG = 3600.0
DRIVER = """
import pickle, sys
from metadata_export.processes import process_runner
session, task = pickle.load(sys.stdin.buffer)
with process_runner(session, 2) as runner:
    runner.run(task, "one")
"""


def one(key: str = "one", statement: str = "SELECT id FROM public.one") -> tuple[TableTask, ...]:
    """A task that exports a few rows into day/<key>."""
    return (TableTask("one", f"day/{key}", Statement(f"COPY ({statement}) TO STDOUT (FORMAT csv)", ""), b"id\n"),)


@pytest.fixture
def snapshot(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """The connection that holds the snapshot."""
    database.execute("CREATE TABLE one (id int)", "INSERT INTO one VALUES (1)")
    with database.connect() as holder:
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield holder


class Runs:
    """Starts runners on one snapshot, and knows their processes."""

    def __init__(self, engine: Engine, snapshot_id: str) -> None:
        self._engine, self._snapshot_id = engine, snapshot_id
        self._expires_at = datetime.now(UTC)

    def session(self, seconds: float) -> Session:
        """A session whose credentials open connections for so many seconds."""
        self._expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
        source = self._engine.database.source(expires_at=self._expires_at)
        return Session(source, self._snapshot_id, REGION, self._engine.bucket, attempts=3)

    @contextmanager
    def runner(self, processes: int, *, seconds: float = LONG) -> Iterator[ProcessRunner]:
        with process_runner(self.session(seconds), processes) as runner:
            yield runner

    def wait_for_expiry(self) -> None:
        """Wait until the credentials of the last session open no connection any more."""
        time.sleep(max(0.0, (self._expires_at - datetime.now(UTC)).total_seconds()))

    @staticmethod
    def processes(driver: int | None = None) -> list[psutil.Process]:
        """The worker processes of a driver, which is this process unless said otherwise."""
        children = psutil.Process(driver).children()
        return [each for each in children if any("spawn_main" in word for word in each.cmdline())]


@pytest.fixture
def runs(engine: Engine, snapshot: psycopg.Connection[Any]) -> Iterator[Runs]:
    yield Runs(engine, str(snapshot.execute("SELECT pg_export_snapshot()").fetchall()[0][0]))
    assert Runs.processes() == []


def side_by_side(runner: ProcessRunner, count: int) -> list[Result]:
    """Run tasks from so many threads at a time."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda number: runner.run(one(str(number)), "one"), range(count)))


def backends(database: Database) -> set[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'metadata_export%'"
    return {int(pid) for (pid,) in database.rows(query)}


def test_given_credentials_that_have_expired_then_the_connections_that_are_open_do_all_that_is_left(
    runs: Runs, database: Database, engine: Engine, faults: Faults, pace: float
) -> None:
    # GIVEN two connections that were opened in time
    with runs.runner(2, seconds=4 + 5 * pace) as runner:
        with faults.held("s3", "PutObject", "day/") as held:  # so that one process cannot do it all
            first = _in_thread(lambda: side_by_side(runner, 2))
            held.wait(hits=2)
        first.result(60)
        opened = backends(database)
        assert len(opened) == 2

        # WHEN the credentials have expired
        runs.wait_for_expiry()
        side_by_side(runner, 12)

        # THEN nothing was opened anew, and everything is there
        assert backends(database) == opened
        assert len(engine.keys("day/")) == 12

        # AND statements that fail, before their first row or after many, cost no connection and not the snapshot
        database.execute("INSERT INTO public.one VALUES (2)")
        for _ in range(3):
            with pytest.raises(ExportError, match=r"cannot export the table one: .*does_not_exist"):
                runner.run(one(statement="SELECT * FROM public.does_not_exist"), "one")
            with pytest.raises(ExportError, match="division by zero"):
                runner.run(one(statement="SELECT 1 / (100000 - g) FROM generate_series(1, 200000) g"), "one")
        results = side_by_side(runner, 6)
        assert [result[0].rows for result in results if isinstance(result, tuple)] == [1] * 6
        assert backends(database) == opened

        # AND when one of the two processes dies, the other one does its task
        faults.kill_caller("s3", "PutObject", "day/late")
        assert isinstance(runner.run(one("late"), "one"), tuple)
        assert len(runs.processes()) == 1

        # AND when that dies too, the error says what happened and what to do, and comes at once for every other task
        faults.kill_caller("s3", "PutObject", "day/last")
        with pytest.raises(CredentialsError, match=r"expired at .*trigger the DAG.*no connection is left.*SIGKILL"):
            runner.run(one("last"), "one")
        with pytest.raises(CredentialsError, match="no connection is left"):
            runner.run(one("more"), "one")
    assert backends(database) == set()


def test_given_a_process_that_is_killed_while_the_credentials_last_then_another_does_its_task(
    runs: Runs, engine: Engine, faults: Faults
) -> None:
    faults.kill_caller("s3", "PutObject", "day/one")
    with runs.runner(1) as runner:
        result = runner.run(one(), "one")
    assert isinstance(result, tuple)
    assert engine.keys("day/") == ["day/one"]


def test_given_a_task_that_kills_every_process_then_it_is_given_up_in_one_line(runs: Runs, faults: Faults) -> None:
    faults.kill_caller("s3", "PutObject", "day/one", times=None)
    with runs.runner(2) as runner:
        with pytest.raises(ExportError, match="one small table: its process was killed by SIGKILL"):
            runner.run(one(), "one small table")
        assert isinstance(runner.run(one("other"), "other"), tuple)


def test_given_a_connection_that_breaks_then_it_is_opened_again_while_the_credentials_last(
    runs: Runs, database: Database, pace: float
) -> None:
    with runs.runner(1, seconds=4 + 5 * pace) as runner:
        runner.run(one(), "one")
        database.execute(f"SELECT pg_terminate_backend({backends(database).pop()})")
        assert isinstance(runner.run(one(), "one"), tuple)

        # AND after that the run cannot go on, and says why
        runs.wait_for_expiry()
        database.execute(f"SELECT pg_terminate_backend({backends(database).pop()})")
        with pytest.raises(CredentialsError, match=r"expired at .*no connection is left: .*(terminat|closed|lost)"):
            runner.run(one(), "one")


def test_given_a_snapshot_whose_holder_has_ended_then_that_is_the_error(
    runs: Runs, snapshot: psycopg.Connection[Any]
) -> None:
    with runs.runner(1) as runner:
        snapshot.execute("ROLLBACK")
        with pytest.raises(ExportError, match=r"snapshot .* cannot be imported"):
            runner.run(one(), "one")


def test_given_an_idle_process_then_it_keeps_its_connection_alive(runs: Runs, database: Database) -> None:
    with runs.runner(1) as runner:
        runner.run(one(), "one")
        query = "SELECT query FROM pg_stat_activity WHERE application_name LIKE 'metadata_export%'"
        assert database.rows(query) != [("SELECT 1",)]
        wait_until(lambda: database.rows(query) == [("SELECT 1",)])


def test_given_a_limit_on_idle_transactions_then_talking_keeps_the_connection(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ten times as long as it is silent: a busy machine makes pauses of its own.
    monkeypatch.setitem(sources.BEHAVIOUR_SETTINGS, "idle_in_transaction_session_timeout", "3s")
    session, kept = runs.session(LONG), KeptConnection()
    with contextlib.ExitStack() as stack:
        stack.callback(kept.release)
        with kept.opened(session) as connection:
            pass
        for _ in range(12):
            time.sleep(0.3)
            kept.keep_alive(session)
        with kept.opened(session) as again:
            assert again is connection
            assert again.execute("SELECT count(*) FROM public.one").fetchall() == [(1,)]

        # AND without it, the connection is opened anew
        time.sleep(4)
        kept.keep_alive(session)
        with kept.opened(session) as again:
            assert again is not connection


def test_given_a_failure_then_the_processes_are_gone_and_no_other_task_begins(
    runs: Runs, database: Database, faults: Faults
) -> None:
    running: list[Future[Any]] = []

    def fail_while_tasks_run() -> None:
        with runs.runner(2) as runner:
            running.extend(_in_thread(lambda key=key: runner.run(one(key), "one")) for key in ("a", "b", "c"))
            held.wait(hits=2)
            raise ZeroDivisionError

    with faults.held("s3", "PutObject", "day/") as held:
        with pytest.raises(ZeroDivisionError):
            fail_while_tasks_run()
        assert runs.processes() == []
        for each in running:
            with pytest.raises(ExportError, match=r"SIGKILL|cancelled|ended"):
                each.result(10)
        assert held.hits == 2
    wait_until(lambda: not backends(database))


def test_given_a_driver_that_is_killed_then_its_processes_end(
    runs: Runs, database: Database, engine: Engine, faults: Faults
) -> None:
    # GIVEN a driver of its own, whose task is uploading
    with faults.held("s3", "PutObject", "day/") as held:
        driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, env=_environment())
        assert driver.stdin is not None
        with driver.stdin as orders:
            pickle.dump((runs.session(LONG), one()), orders)
        held.wait()
        workers = runs.processes(driver.pid)
        assert len(workers) == 1

        # WHEN it is killed
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait(30)

        # THEN the process that worked for it ends too, with its connection
        _, left = psutil.wait_procs(workers, timeout=30)
        assert left == []
    wait_until(lambda: not backends(database))


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "glue")}


def _in_thread(call: Callable[[], Any]) -> "Future[Any]":
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
