"""The entry script on a Spark whose executors are processes of their own, as on Glue: what local mode forgives.

`local-cluster[executors,cores,MB]` starts a master, workers and executors that talk over sockets, each executor with a
Python daemon of its own.
"""

import csv
import gzip
import io
import pickle
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import psutil
from metadata_export.statements import Statement
from metadata_export.task import Session, TableTask

from local.aws.injection.client import Faults
from local.aws.settings import REGION
from tests.integration.engine.conftest import PREFIX, Database, Engine
from tests.integration.engine.test_under_spark import INCOMPRESSIBLE, make_large_table
from tests.waiting import wait_until

ROWS = 600_000
HEAPS = [f"heap_{number}" for number in range(8)]
# A driver that runs one task, until it is told to cancel it.
CANCELLED = """
import pickle, sys, threading
from metadata_export.spark import SparkRunner, start_spark
session, task = pickle.loads(bytes.fromhex(sys.stdin.readline()))
runner = SparkRunner(start_spark("cancelled"), session)
threading.Thread(target=runner.run, args=(task, "one"), daemon=True).start()
sys.stdin.readline()
runner.cancel()
print("cancelled", flush=True)
sys.stdin.readline()
"""
DATA = f"{PREFIX}.*csv.gz"


@contextmanager
def connections_seen(database: Database) -> Iterator[list[int]]:
    """Count the run's connections again and again."""
    seen: list[int] = []
    stop = threading.Event()

    def count() -> None:
        with database.connect() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'metadata_export%'"
            while not stop.wait(0.01):
                seen.append(int(connection.execute(query).fetchall()[0][0]))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@contextmanager
def ending(engine: Engine, process: subprocess.Popen[str]) -> Iterator[None]:
    """Leave no process behind when a test fails."""
    try:
        yield
    finally:
        if process.poll() is None:
            engine.kill(process)


def must_succeed(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error[-3000:]


def ids(engine: Engine, table: str) -> list[int]:
    rows = csv.reader(io.StringIO(gzip.decompress(engine.body(table)).decode()))
    assert next(rows)[0] == "id"
    return sorted(int(row[0]) for row in rows)


def executors(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The executors' Java machines, oldest first."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):  # one that has ended meanwhile has no command line any more
            if "CoarseGrainedExecutorBackend" in " ".join(child.cmdline()):
                found.append(child)
    return sorted(found, key=psutil.Process.create_time)


def test_given_an_executor_that_is_lost_then_the_others_do_its_work(
    engine: Engine, database: Database, faults: Faults
) -> None:
    # GIVEN two executors with one slot each, both in the middle of a table
    make_large_table(database, ROWS)
    database.execute("CREATE TABLE variable (id int)", "INSERT INTO variable VALUES (1)")
    engine.publish_credentials()
    process = engine.start_script(
        {"log": "full", "variable": "full"}, publish=False, master="local-cluster[2,1,512]", MAX_CONNECTIONS="3"
    )
    with ending(engine, process):
        with connections_seen(database) as seen, faults.held("s3", "UploadPart", DATA) as held:
            held.wait(hits=2)
            assert max(seen) == 3
            both = executors(process)
            assert len(both) == 2

            # WHEN one goes
            both[0].kill()
            wait_until(lambda: not both[0].is_running())
        must_succeed(process)

    # THEN everything is there, once
    assert ids(engine, "log") == list(range(1, ROWS + 1))
    assert ids(engine, "variable") == [1]
    assert engine.manifest()["tables"]["log"]["rows"] == ROWS
    assert not engine.uploads()
    assert database.open_transactions() == 0


def test_given_a_token_that_expires_meanwhile_then_no_connection_is_needed_that_is_not_there(
    engine: Engine, database: Database, faults: Faults, pace: float
) -> None:
    # GIVEN more slots than connections, more tables than both, and a token that ends while the first ones are written
    for table in HEAPS:
        database.execute(
            f"CREATE TABLE {table} (id int, extra text)",
            f"INSERT INTO {table} SELECT g, {INCOMPRESSIBLE} || {INCOMPRESSIBLE} FROM generate_series(1, 40000) g",
        )
    expires_at = datetime.now(UTC) + timedelta(seconds=10 + 10 * pace)
    engine.publish_credentials(expires_at=expires_at.isoformat())
    with connections_seen(database) as seen:
        process = engine.start_script(
            dict.fromkeys(HEAPS, "full"), publish=False, master="local-cluster[2,2,512]", MAX_CONNECTIONS="3"
        )
        with ending(engine, process):
            with faults.held("s3", "PutObject", DATA) as held:
                held.wait(hits=2)
                time.sleep(max(0.0, (expires_at - datetime.now(UTC)).total_seconds()))
            must_succeed(process)

    # THEN the others were read after its end, through the connections that were open
    for table in HEAPS:
        assert ids(engine, table) == list(range(1, 40_001))
    assert set(engine.manifest()["tables"]) == set(HEAPS)
    assert max(seen) == 3
    assert database.open_transactions() == 0


def test_given_tasks_on_other_machines_when_cancelled_then_they_have_ended_and_not_only_their_jobs(
    engine: Engine, database: Database, faults: Faults
) -> None:
    # GIVEN an executor that is uploading
    database.execute("CREATE TABLE one (id int)", "INSERT INTO one VALUES (1)")
    copy = Statement("COPY public.one TO STDOUT (FORMAT csv)", "")
    task = (TableTask("one", f"{PREFIX}one.csv.gz", copy, b"id\n"),)
    with database.connect() as holder:
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot_id = str(holder.execute("SELECT pg_export_snapshot()").fetchall()[0][0])
        session = Session(database.source(), snapshot_id, REGION, engine.bucket, attempts=4)
        process = engine.start_driver(["-c", CANCELLED], "local-cluster[2,1,512]")
        with ending(engine, process), faults.held("s3", "PutObject", DATA) as held:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(pickle.dumps((session, task)).hex() + "\n")
            process.stdin.flush()
            held.wait()
            assert database.open_transactions() == 1

            # WHEN it is told to stop
            process.stdin.write("cancel\n")
            process.stdin.flush()
            assert process.stdout.readline() == "cancelled\n"

            # THEN it has, though the driver and its Spark are still there; the server may need a moment to see it
            wait_until(lambda: database.open_transactions() == 0, "the task has ended", seconds=1)
            assert process.poll() is None
