"""One moment for all groups, or an honest word that it is not."""

import csv
import gzip
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from metadata_export.aws import s3_client
from metadata_export.errors import ExportError
from metadata_export.storage import Store

from local.aws.settings import REGION
from tests.integration.engine.conftest import PREFIX, RUNS_PREFIX, Database, Engine
from tests.waiting import wait_until

pytestmark = pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)

GROUPS = {"runs": {"dag_run": "run"}, "tasks": {"task_instance": "follow"}, "logs": {"xcom": "follow", "moved": "full"}}
SCHEMA = (
    """CREATE TABLE dag_run (id int PRIMARY KEY, dag_id text NOT NULL, run_id text NOT NULL, state text,
       end_date timestamptz, UNIQUE (dag_id, run_id))""",
    """CREATE TABLE task_instance (dag_id text NOT NULL, run_id text NOT NULL, task_id text NOT NULL,
       PRIMARY KEY (dag_id, run_id, task_id), FOREIGN KEY (dag_id, run_id) REFERENCES dag_run (dag_id, run_id))""",
    "CREATE TABLE xcom (dag_run_id int REFERENCES dag_run (id), key text)",
    "CREATE TABLE moved (id int)",
)


def export_groups(engine: Engine, **changes: str) -> list[dict[str, Any]]:
    """Export all groups at the same time and return their manifests."""

    def export(group: str) -> dict[str, Any]:
        names = json.dumps(list(GROUPS))
        return engine.export(
            GROUPS[group], EXPORT_GROUP=group, EXPORT_GROUPS=names, JOB_RUN_ID=f"jr_{group}", **changes
        )

    with ThreadPoolExecutor(len(GROUPS)) as threads:
        return list(threads.map(export, GROUPS))


def rows_of(engine: Engine, table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(engine.body(table)).decode())))


@contextmanager
def write_load(database: Database) -> Iterator[list[int]]:
    """Insert runs with ten instances and a row in either of two tables, delete others: each in one transaction."""
    stop, written = threading.Event(), [0]

    def write() -> None:
        with psycopg.connect(database.server.url(database.name)) as connection:
            while not stop.is_set():
                number = written[0] = written[0] + 1
                run = {"id": number, "run": f"run {number}"}
                connection.execute("INSERT INTO dag_run VALUES (%(id)s, 'd', %(run)s, 'success', now())", run)
                connection.execute(
                    "INSERT INTO task_instance SELECT 'd', %(run)s, g::text FROM generate_series(1, 10) g", run
                )
                if number % 2:
                    connection.execute("INSERT INTO xcom VALUES (%(id)s, 'here')", run)
                else:
                    connection.execute("INSERT INTO moved VALUES (%(id)s)", run)
                if number % 3 == 0:
                    old = {"id": number - 2, "run": f"run {number - 2}"}
                    connection.execute("DELETE FROM task_instance WHERE run_id = %(run)s", old)
                    connection.execute("DELETE FROM xcom WHERE dag_run_id = %(id)s", old)
                    connection.execute("DELETE FROM moved WHERE id = %(id)s", old)
                    connection.execute("DELETE FROM dag_run WHERE id = %(id)s", old)
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        stop.set()
        writer.join()


def test_groups_exported_under_write_load_show_one_moment(engine: Engine, database: Database) -> None:
    # GIVEN a database that never stands still
    database.execute(*SCHEMA)
    with write_load(database) as written:
        while written[0] < 200:
            time.sleep(0.01)
        before = written[0]

        # WHEN three groups export it at the same time
        manifests = export_groups(engine)
        assert written[0] > before

    # THEN every invariant of every single moment holds between the files of different groups
    runs = {row["run_id"]: row["id"] for row in rows_of(engine, "dag_run")}
    instances = [row["run_id"] for row in rows_of(engine, "task_instance")]
    assert {run: instances.count(run) for run in runs} == dict.fromkeys(runs, 10)
    assert set(instances) == set(runs)
    elsewhere = [row["dag_run_id"] for row in rows_of(engine, "xcom")] + [row["id"] for row in rows_of(engine, "moved")]
    assert sorted(elsewhere) == sorted(runs.values())

    # AND the manifests say so
    assert {manifest["consistency"] for manifest in manifests} == {"snapshot"}
    assert len({manifest["snapshot"]["claimed_by"] for manifest in manifests}) == 1
    assert database.open_transactions() == 0


def test_a_claim_whose_holder_has_ended_is_not_believed(engine: Engine, database: Database) -> None:
    # GIVEN a finished export, whose claim is still there
    database.execute(*SCHEMA)
    export_groups(engine)

    # WHEN a group whose table is lost is exported again, as a redrive does
    s3_client(REGION).delete_object(Bucket=engine.bucket, Key=f"{PREFIX}dag_run_143022.csv.gz")
    names = json.dumps(list(GROUPS))
    manifest = engine.export(GROUPS["runs"], EXPORT_GROUP="runs", EXPORT_GROUPS=names, JOB_RUN_ID="jr_again")

    # THEN it uses its own snapshot, and says why and whose the other was
    assert manifest["consistency"] == "per-group"
    assert manifest["snapshot"]["role"] == "own"
    assert manifest["snapshot"]["claimed_by"] == "jr_again"
    assert "is gone" in manifest["snapshot"]["reason"]
    assert "claimed by jr_" in manifest["snapshot"]["reason"]


def test_a_snapshot_of_the_same_name_but_another_moment_is_refused(engine: Engine, database: Database) -> None:
    # GIVEN a claim whose snapshot id has come to mean another snapshot, as after a restart of the server
    database.execute(*SCHEMA)
    with database.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot_id = other.execute("SELECT pg_export_snapshot()").fetchone()[0]  # type: ignore[index]
        claim = {
            "job_run_id": "jr_dead",
            "group": "tasks",
            "snapshot_id": snapshot_id,
            "moment": "1:1:",
            "claimed_at": "x",
        }
        Store(s3_client(REGION), engine.bucket).put_json(f"{RUNS_PREFIX}_snapshot.json", claim)

        # WHEN a run would import it
        manifest = engine.export(GROUPS["runs"], EXPORT_GROUP="runs", EXPORT_GROUPS='["runs", "tasks"]')

    # THEN it does not
    assert manifest["consistency"] == "per-group"
    assert "another moment" in manifest["snapshot"]["reason"]


def test_a_holder_waits_no_longer_than_the_bound(engine: Engine, database: Database) -> None:
    database.execute(*SCHEMA)
    started = time.monotonic()
    manifest = engine.export(
        GROUPS["runs"], EXPORT_GROUP="runs", EXPORT_GROUPS='["runs", "tasks"]', SNAPSHOT_HOLD_SECONDS="1"
    )
    assert manifest["snapshot"]["role"] == "claimed"
    assert 1 <= time.monotonic() - started < 300  # without it, 15 minutes
    assert database.open_transactions() == 0


def test_a_group_that_fails_before_it_imports_does_not_keep_the_holder_waiting(
    engine: Engine, database: Database
) -> None:
    # GIVEN a holder whose other group fails in its own way
    database.execute(*SCHEMA)
    groups = '["runs", "tasks"]'
    with ThreadPoolExecutor(1) as threads:
        holder = threads.submit(engine.export, GROUPS["runs"], EXPORT_GROUP="runs", EXPORT_GROUPS=groups)
        wait_until(lambda: engine.keys(f"{RUNS_PREFIX}_snapshot"))
        source = database.source(port=1)
        with pytest.raises(ExportError, match="cannot connect"):
            engine.export(GROUPS["tasks"], source=source, EXPORT_GROUP="tasks", EXPORT_GROUPS=groups)

        # THEN the holder ends long before its bound of 15 minutes
        assert holder.result(timeout=300)["snapshot"]["role"] == "claimed"


def test_a_single_group_needs_no_claim(engine: Engine, database: Database) -> None:
    database.execute(*SCHEMA)
    manifest = engine.export({"dag_run": "run"})
    assert manifest["snapshot"]["role"] == "own"
    assert manifest["snapshot"]["reason"] is None
    assert manifest["consistency"] == "snapshot"
    assert engine.keys(RUNS_PREFIX) == [f"{RUNS_PREFIX}_snapshot_runs.json", f"{RUNS_PREFIX}runs.json"]
