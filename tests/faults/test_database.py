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
from local.fault_matrix import control, outcome
from local.fault_matrix.scenario import Scenario

MIB = 1024 * 1024
MID_COPY = 2 * MIB
BEFORE_THE_COPIES = ("s3", "ListMultipartUploads")  # asked once the plan is made


def test_refused_connection(scenario: Scenario) -> None:
    """The connection is refused."""
    scenario.publish(port=1)

    scenario.start()

    scenario.must_fail("logs", "cannot connect to PostgreSQL at 127.0.0.1:1", "Connection refused")


def test_wrong_password(scenario: Scenario) -> None:
    """The password is wrong."""
    scenario.publish(password="no longer this one")

    scenario.start()

    scenario.must_fail("logs", "cannot connect to PostgreSQL", "password authentication failed")


def test_other_database(scenario: Scenario) -> None:
    """The secret names a database that has no Airflow in it."""
    scenario.publish(dbname="postgres")

    scenario.start()

    scenario.must_fail("logs", "has neither dag_run nor any table of the group", "see dbname in the secret")


def test_expired_token(scenario: Scenario) -> None:
    """The IAM token has expired before the export."""
    scenario.publish(expires_at="2026-01-01T00:00:00Z")

    scenario.start()

    scenario.must_fail("Prepare Connection", "expired at 2026-01-01T00:00:00", "trigger the DAG")


def test_token_expires_before_the_run(scenario: Scenario) -> None:
    """The IAM token expires before the Glue run connects."""
    expires_at = datetime.now(UTC) + timedelta(seconds=20)
    scenario.publish(expires_at=expires_at.isoformat(timespec="seconds"))

    with scenario.faults.held("glue", "StartJobRun") as held:
        scenario.start()
        held.wait()
        time.sleep(max(0.0, (expires_at - datetime.now(UTC)).total_seconds()))

    scenario.must_fail("logs", "the database credentials expired", "trigger the DAG")


@pytest.mark.representative
def test_killed_backend(scenario: Scenario) -> None:
    """A backend is killed in mid-COPY."""
    scenario.start()

    with scenario.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        assert scenario.terminate("state = 'active' AND query LIKE 'COPY%'") == 1

    scenario.must_complete()


def test_server_restart(scenario: Scenario) -> None:
    """The server restarts in mid-export."""
    scenario.start()

    with scenario.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        postgres.stop(scenario.database.data_dir)
        postgres.start(scenario.database.data_dir, port=scenario.database.port, password=scenario.database.password)

    scenario.must_recover("logs", "log", "snapshot")


def test_statement_timeout(scenario: Scenario) -> None:
    """A statement takes longer than its time-out."""
    with scenario.job({"--STATEMENT_TIMEOUT_SECONDS": "12"}), scenario.proxy.stalled(MID_COPY) as stalled:
        scenario.start()
        stalled.wait()
        time.sleep(12.5)

    scenario.must_recover("export the table log", "statement timeout")


def test_dropped_table(scenario: Scenario) -> None:
    """A table is dropped between plan and read."""
    scenario.start()

    with scenario.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        scenario.execute("DROP TABLE job")

    scenario.must_fail("include_tables asks for job, which is not in the database")


ODD_NAMES = ("2024_audit", "Other Team", 'ünï, "x"/%2F', "-- \n;")


def test_names_that_need_quotes(scenario: Scenario) -> None:
    """Other teams' tables have names that need quotes: by these they are exported, and left out."""
    for name in (*ODD_NAMES, "other-team"):
        table = sql.Identifier(name).as_string(None)
        scenario.execute(f"CREATE TABLE {table} (i int); INSERT INTO {table} VALUES (1)")
    left_out = [*sorted(TABLE_NAMES - {"variable"}), "other-team"]

    scenario.start(include_tables=[], exclude_tables=left_out)

    scenario.tables = ("variable", *ODD_NAMES)
    scenario.must_complete()
    assert scenario.judged is not None
    summary = scenario.judged[0].summary
    assert summary is not None
    assert summary["tables"] == dict.fromkeys(ODD_NAMES, 1) | {"variable": 50}
    assert summary["skipped_tables"]["other-team"] == "excluded: exclude_tables names it"


def test_altered_table(scenario: Scenario) -> None:
    """A table loses a column between plan and read."""
    scenario.start()

    with scenario.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        scenario.execute("ALTER TABLE job DROP COLUMN hostname")

    scenario.must_recover("export the table job", "hostname does not exist")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE job ALTER COLUMN id TYPE bigint",
        "TRUNCATE job",
        "ALTER TABLE job RENAME TO job_old; CREATE TABLE job (LIKE job_old); DROP TABLE job_old",
    ],
    ids=["rewritten", "truncated", "created again"],
)
def test_replaced_table(scenario: Scenario, statement: str) -> None:
    """A table is replaced between plan and read, so that it looks empty to the snapshot."""
    scenario.start()

    with scenario.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        scenario.execute(statement)

    scenario.must_recover("job: truncated, rewritten or replaced")


@contextlib.contextmanager
def reader(scenario: Scenario, closed: str) -> Iterator[None]:
    """Let the export read as a role that may read every table but one."""
    role, password = "reader", "only a test"
    scenario.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    scenario.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    scenario.execute(f"REVOKE SELECT ON {closed} FROM {role}")
    scenario.publish(username=role, password=password)
    try:
        yield
    finally:
        scenario.execute(f"DROP OWNED BY {role}")
        scenario.execute(f"DROP ROLE {role}")


def written(scenario: Scenario) -> dict[str, int]:
    """How often the object of each table has been written."""
    bucket = scenario.pipeline.bucket
    prefix = f"{outcome.layout(bucket).root}/"
    versions = scenario.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
    names = (item["Key"].rpartition("/")[2] for item in versions)
    return dict(Counter(name.rpartition("_")[0] for name in names if name.endswith(".csv.gz")))


def test_damaged_value(scenario: Scenario) -> None:
    """A value of a table is damaged (SQLSTATE XX001): the others are exported, and the retry repeats only it."""
    scenario.start()

    damaged = scenario.proxy.fail_copy(
        MID_COPY, "XX001", "missing chunk number 0 for toast value 16417 in pg_toast_16400"
    )

    damaged.wait()
    scenario.must_recover(
        "logs: missing 1 table (log)",
        "log: cannot export the table log: missing chunk number 0",
        "Exported and verified all the same: 1 table of this group",
        "ExcludeTables",
    )
    assert written(scenario) == {"job": 1, "log": 1}


def test_table_that_may_not_be_read(scenario: Scenario) -> None:
    """A table may not be read: the others are exported, and a redrive after its repair repeats only it."""
    with reader(scenario, "job"):
        scenario.start()
        scenario.must_fail("permission denied for table job", "logs (job)", "exclude_tables")
        assert scenario.judged is not None
        summary = scenario.judged[0].summary
        assert summary is not None
        assert (summary["status"], list(summary["tables"])) == ("INCOMPLETE", ["log"])
        scenario.execute("GRANT SELECT ON job TO reader")

        control.redrive(scenario)

        control.must_be_noticed(scenario)
    assert written(scenario) == {"job": 1, "log": 1}


def test_table_that_is_left_out(scenario: Scenario) -> None:
    """A table may not be read, and a new execution leaves it out."""
    with reader(scenario, "job"):
        scenario.start()
        scenario.must_fail("permission denied for table job")
        assert scenario.judged is not None

        scenario.start(include_tables=[], exclude_tables=["job"])
        scenario.tables = ("log",)  # less than the stack's own

        scenario.must_complete()
    assert scenario.judged[0].summary is not None
    assert "job" in scenario.judged[0].summary["skipped_tables"]


def test_disk_full(scenario: Scenario) -> None:
    """The server's disk is full (SQLSTATE 53100) in mid-COPY."""
    scenario.start()

    full = scenario.proxy.fail_copy(
        MID_COPY, "53100", 'could not write to file "base/pgsql_tmp": No space left on device'
    )

    full.wait()
    scenario.must_recover("export the table log", "No space left on device", "53100")


def test_pgbouncer_restart(scenario: Scenario) -> None:
    """PgBouncer restarts in mid-COPY."""
    try:
        pgbouncer.ensure()
    except debian.DebianPackageError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with pgbouncer.start(scenario.database) as first:
        scenario.proxy.target_port = first.port
        scenario.start()
        with scenario.proxy.stalled(MID_COPY) as stalled:
            stalled.wait()
            first.stop()
            second = scenario.undo.enter_context(pgbouncer.start(scenario.database))
            scenario.proxy.target_port = second.port

    scenario.must_recover("logs", "log", "snapshot")


def test_killed_snapshot_holder(scenario: Scenario) -> None:
    """The backend that holds the snapshot is killed before the others have it."""
    scenario.start()

    with scenario.faults.held(*BEFORE_THE_COPIES) as held:
        held.wait()
        assert scenario.terminate("query NOT LIKE 'COPY%'") == 1

    scenario.must_recover("logs", "snapshot")
