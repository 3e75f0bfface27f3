"""Faults of the database and on the way to it."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from plan_export.table_registry import TABLE_NAMES
from psycopg import sql

from local import debian, pgbouncer, postgres
from local.faults import control
from local.faults.outcome import PREFIX
from local.faults.scene import Scene

MIB = 1024 * 1024
MID_COPY = 2 * MIB
BEFORE_THE_COPIES = ("s3", "ListMultipartUploads")  # asked once the plan is made


def test_refused_connection(scene: Scene) -> None:
    """The connection is refused."""
    scene.publish(port=1)

    scene.start()

    scene.must_fail("logs", "cannot connect to PostgreSQL at 127.0.0.1:1", "Connection refused")


def test_wrong_password(scene: Scene) -> None:
    """The password is wrong."""
    scene.publish(password="no longer this one")

    scene.start()

    scene.must_fail("logs", "cannot connect to PostgreSQL", "password authentication failed")


def test_other_database(scene: Scene) -> None:
    """The secret names a database that has no Airflow in it."""
    scene.publish(dbname="postgres")

    scene.start()

    scene.must_fail("logs", "has neither dag_run nor any table of the group", "see dbname in the secret")


def test_expired_token(scene: Scene) -> None:
    """The IAM token has expired before the export."""
    scene.publish(expires_at="2026-01-01T00:00:00Z")

    scene.start()

    scene.must_fail("Prepare Connection", "expired at 2026-01-01T00:00:00Z", "trigger the DAG")


def test_token_expires_before_the_run(scene: Scene) -> None:
    """The IAM token expires before the Glue run connects."""
    expires_at = datetime.now(UTC) + timedelta(seconds=20)
    scene.publish(expires_at=expires_at.isoformat(timespec="seconds"))

    with scene.faults.held("glue", "StartJobRun") as held:
        scene.start()
        held.wait()
        time.sleep(max(0.0, (expires_at - datetime.now(UTC)).total_seconds()))

    scene.must_fail("logs", "the database credentials expired", "trigger the DAG")


@pytest.mark.representative
def test_killed_backend(scene: Scene) -> None:
    """A backend is killed in mid-COPY."""
    scene.start()

    with scene.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        assert scene.terminate("state = 'active' AND query LIKE 'COPY%'") == 1

    scene.must_complete()


def test_server_restart(scene: Scene) -> None:
    """The server restarts in mid-export."""
    scene.start()

    with scene.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        postgres.stop(scene.database.data_dir)
        postgres.start(scene.database.data_dir, port=scene.database.port, password=scene.database.password)

    scene.must_recover("logs", "log", "snapshot")


def test_statement_timeout(scene: Scene) -> None:
    """A statement takes longer than its time-out."""
    with scene.job({"--STATEMENT_TIMEOUT_SECONDS": "12"}), scene.proxy.stalled(MID_COPY) as stalled:
        scene.start()
        stalled.wait()
        time.sleep(12.5)

    scene.must_recover("export the table log", "statement timeout")


def test_dropped_table(scene: Scene) -> None:
    """A table is dropped between plan and read."""
    scene.start()

    with scene.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        scene.execute("DROP TABLE job")

    scene.must_fail("table job, which include_tables asks for, is not in this database")


ODD_NAMES = ("2024_audit", "Other Team", 'ünï, "x"/%2F', "-- \n;")


def test_names_that_need_quotes(scene: Scene) -> None:
    """Other teams' tables have names that need quotes: by these they are exported, and left out."""
    for name in (*ODD_NAMES, "other-team"):
        table = sql.Identifier(name).as_string(None)
        scene.execute(f"CREATE TABLE {table} (i int); INSERT INTO {table} VALUES (1)")
    left_out = [*sorted(TABLE_NAMES - {"variable"}), "other-team"]

    scene.start(include_tables=[], exclude_tables=left_out)

    scene.tables = ("variable", *ODD_NAMES)
    scene.must_complete()
    assert scene.judged is not None
    summary = scene.judged[0].summary
    assert summary is not None
    assert summary["tables"] == dict.fromkeys(ODD_NAMES, 1) | {"variable": 50}
    assert summary["skipped_tables"]["other-team"] == "excluded: exclude_tables names it"


def test_altered_table(scene: Scene) -> None:
    """A table loses a column between plan and read."""
    scene.start()

    with scene.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        scene.execute("ALTER TABLE job DROP COLUMN hostname")

    scene.must_recover("export the table job", "hostname does not exist")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE job ALTER COLUMN id TYPE bigint",
        "TRUNCATE job",
        "ALTER TABLE job RENAME TO job_old; CREATE TABLE job (LIKE job_old); DROP TABLE job_old",
    ],
    ids=["rewritten", "truncated", "created again"],
)
def test_replaced_table(scene: Scene, statement: str) -> None:
    """A table is replaced between plan and read, so that it looks empty to the snapshot."""
    scene.start()

    with scene.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        scene.execute(statement)

    scene.must_recover("job: truncated, rewritten or replaced")


@contextlib.contextmanager
def reader(scene: Scene, closed: str) -> Iterator[None]:
    """Let the export read as a role that may read every table but one."""
    role, password = "reader", "only a test"
    scene.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    scene.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    scene.execute(f"REVOKE SELECT ON {closed} FROM {role}")
    scene.publish(username=role, password=password)
    try:
        yield
    finally:
        scene.execute(f"DROP OWNED BY {role}")
        scene.execute(f"DROP ROLE {role}")


def written(scene: Scene) -> dict[str, int]:
    """How often the object of each table has been written."""
    versions = scene.client("s3").list_object_versions(Bucket=scene.pipeline.bucket, Prefix=PREFIX)["Versions"]
    names = (item["Key"].rpartition("/")[2] for item in versions)
    return dict(Counter(name.rpartition("_")[0] for name in names if name.endswith(".csv.gz")))


def test_damaged_value(scene: Scene) -> None:
    """A value of a table is damaged (SQLSTATE XX001): the others are exported, and the retry repeats only it."""
    scene.start()

    damaged = scene.proxy.fail_copy(MID_COPY, "XX001", "missing chunk number 0 for toast value 16417 in pg_toast_16400")

    damaged.wait()
    scene.must_recover(
        "logs: missing 1 table (log)",
        "log: cannot export the table log: missing chunk number 0",
        "Exported and verified all the same: 1 table of this group",
        "ExcludeTables",
    )
    assert written(scene) == {"job": 1, "log": 1}


def test_table_that_may_not_be_read(scene: Scene) -> None:
    """A table may not be read: the others are exported, and a redrive after its repair repeats only it."""
    with reader(scene, "job"):
        scene.start()
        scene.must_fail("permission denied for table job", "logs (job)", "exclude_tables")
        assert scene.judged is not None
        summary = scene.judged[0].summary
        assert summary is not None
        assert (summary["status"], list(summary["tables"])) == ("INCOMPLETE", ["log"])
        scene.execute("GRANT SELECT ON job TO reader")

        control.redrive(scene)

        control.must_be_noticed(scene)
    assert written(scene) == {"job": 1, "log": 1}


def test_table_that_is_left_out(scene: Scene) -> None:
    """A table may not be read, and a new execution leaves it out."""
    with reader(scene, "job"):
        scene.start()
        scene.must_fail("permission denied for table job")
        assert scene.judged is not None

        scene.start(include_tables=[], exclude_tables=["job"])

        scene.must_complete()
    assert scene.judged[0].summary is not None
    assert "job" in scene.judged[0].summary["skipped_tables"]


def test_disk_full(scene: Scene) -> None:
    """The server's disk is full (SQLSTATE 53100) in mid-COPY."""
    scene.start()

    full = scene.proxy.fail_copy(MID_COPY, "53100", 'could not write to file "base/pgsql_tmp": No space left on device')

    full.wait()
    scene.must_recover("export the table log", "No space left on device", "53100")


def test_pgbouncer_restart(scene: Scene) -> None:
    """PgBouncer restarts in mid-COPY."""
    try:
        pgbouncer.ensure()
    except debian.DebianPackageError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with pgbouncer.start(scene.database) as first:
        scene.proxy.target_port = first.port
        scene.start()
        with scene.proxy.stalled(MID_COPY) as stalled:
            stalled.wait()
            first.stop()
            second = scene.undo.enter_context(pgbouncer.start(scene.database))
            scene.proxy.target_port = second.port

    scene.must_recover("logs", "log", "snapshot")


def test_killed_snapshot_holder(scene: Scene) -> None:
    """The backend that holds the snapshot is killed before the others have it."""
    scene.start()

    with scene.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        assert scene.terminate("query NOT LIKE 'COPY%'") == 1

    scene.must_recover("logs", "snapshot")
