"""The entry script as Glue runs it: real Spark, credentials from the secret, many tasks to one object."""

import csv
import gzip
import io
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from metadata_export.aws import s3_client
from metadata_export.storage import Store

from local.aws.glue import failure
from local.aws.settings import REGION
from tests.integration.engine.conftest import PASSWORD, PREFIX, ROOT, RUNS_PREFIX, Database, Engine
from tests.waiting import wait_until

SCHEMA = json.loads((Path(ROOT) / "docs/contracts/group_manifest.schema.json").read_text())
INCOMPRESSIBLE = "encode(sha256(g::text::bytea), 'hex') || encode(sha256((g + 1)::text::bytea), 'hex')"


def make_large_table(database: Database, rows: int) -> None:
    """A table of several chunks, whose rows hardly compress."""
    database.execute(
        "CREATE TABLE log (id int PRIMARY KEY, dttm timestamptz, extra text)",
        f"INSERT INTO log SELECT g, now(), {INCOMPRESSIBLE} || {INCOMPRESSIBLE} FROM generate_series(1, {rows}) g",
    )


@pytest.fixture
def exported(engine: Engine, database: Database) -> tuple[Engine, str, str]:
    make_large_table(database, 600_000)
    database.execute("CREATE TABLE variable (id int, key text)", "INSERT INTO variable VALUES (1, 'one')")
    tables = {"log": "date", "variable": "full", "sla_miss": "date"}
    code, output, error = engine.run_script(tables)
    assert code == 0, error[-3000:]
    return engine, output, error


def test_a_table_of_several_chunks_becomes_one_object(exported: tuple[Engine, str, str], database: Database) -> None:
    # GIVEN an export of a table that several tasks shared
    engine, output, error = exported
    manifest = engine.manifest()
    table = manifest["tables"]["log"]
    body = engine.body("log")

    # THEN it is one object with every row once, in parts that S3 takes
    rows = list(csv.reader(io.StringIO(gzip.decompress(body).decode())))
    assert rows[0] == ["id", "dttm", "extra"]
    assert sorted(int(row[0]) for row in rows[1:]) == list(range(1, 600_001))
    assert table["rows"] == 600_000
    assert len(table["part_sizes"]) > 1
    assert min(table["part_sizes"][:-1]) >= 5 * 1024 * 1024
    assert sum(table["part_sizes"]) == table["object_bytes"] == len(body)
    assert table["csv_bytes"] == len(gzip.decompress(body))

    # AND the manifest is as the contract says, names what is missing, and no secret is in any output
    jsonschema.validate(manifest, SCHEMA)
    assert manifest["skipped_tables"] == {"sla_miss": "not in this Airflow version's schema"}
    assert manifest["tables"]["variable"]["rows"] == 1
    assert engine.files() == [f"{PREFIX}log_143022.csv.gz", f"{PREFIX}variable_143022.csv.gz"]
    assert PASSWORD not in output + error
    said = [json.loads(line) for line in output.splitlines() if line.startswith("{")]  # Java writes there too
    assert {line["export_id"] for line in said} == {"20261211T143022Z"}
    assert database.open_transactions() == 0


def test_a_table_that_may_not_be_read_fails_the_run_in_one_line_and_no_other_table(
    engine: Engine, database: Database
) -> None:
    # GIVEN a user that may read one of two tables
    user = f"reader_{database.name}"
    database.execute(
        "CREATE TABLE open_table (id int)",
        "CREATE TABLE closed_table (id int)",
        f"CREATE ROLE {user} LOGIN PASSWORD '{user}'",
        f"GRANT SELECT ON open_table TO {user}",
    )
    try:
        engine.publish_credentials(username=user, password=user)
        code, _, error = engine.run_script({"open_table": "full", "closed_table": "full"}, publish=False)
    finally:
        database.execute(f"DROP OWNED BY {user}", f"DROP ROLE {user}")

    # THEN the run fails, its one line names the table and the reason, and the manifest has both tables
    assert code != 0
    message = failure.of_exit(code, error.splitlines())
    assert "cannot export the table closed_table: permission denied for table closed_table" in message
    manifest = engine.manifest()
    jsonschema.validate(manifest, SCHEMA)
    assert (list(manifest["tables"]), list(manifest["failed_tables"])) == (["open_table"], ["closed_table"])
    assert database.open_transactions() == 0
    assert user not in message


def test_a_killed_run_leaves_no_transaction_and_the_next_one_cleans_up(engine: Engine, database: Database) -> None:
    # GIVEN a run that is killed in the middle of a table, with its upload begun
    make_large_table(database, 600_000)
    process = engine.start_script({"log": "full"})
    wait_until(lambda: engine.uploads() and database.open_transactions() > 1)
    engine.kill(process)

    # THEN its transactions end
    wait_until(lambda: database.open_transactions() == 0, "its transactions end")
    assert engine.uploads()

    # AND the next attempt aborts the stale upload and delivers
    manifest = engine.export({"log": "full"})
    assert manifest["tables"]["log"]["rows"] == 600_000
    assert not engine.uploads()


def test_connections_that_are_kept_are_no_more_than_allowed_and_go_before_the_snapshot_is_held_for_others(
    engine: Engine, database: Database
) -> None:
    # GIVEN credentials that expire, more slots than connections, and a sibling that does not come
    make_large_table(database, 600_000)
    database.execute("CREATE TABLE variable (id int)")
    engine.publish_credentials(expires_at=(datetime.now(UTC) + timedelta(minutes=15)).isoformat())
    process = engine.start_script(
        {"log": "full", "variable": "full"},
        publish=False,
        master="local[6,4]",
        MAX_CONNECTIONS="3",
        EXPORT_GROUPS='["runs", "definitions"]',
    )

    seen: list[int] = []

    def exported() -> bool:
        seen.append(database.open_transactions())
        assert process.poll() is None
        return len(engine.files()) == 2

    try:
        # WHEN all tables are exported
        wait_until(exported)

        # THEN there were no more connections than allowed, and only the one with the snapshot is left
        assert 1 < max(seen) <= 3
        wait_until(lambda: database.open_transactions() == 1, "kept connections are closed")
        assert process.poll() is None

        # AND the run ends well when the sibling is there
        Store(s3_client(REGION), engine.bucket).put_json(f"{RUNS_PREFIX}_snapshot_definitions.json", {})
        _, error = process.communicate(timeout=300)
        assert process.returncode == 0, error[-3000:]
        assert database.open_transactions() == 0
    finally:
        if process.poll() is None:
            engine.kill(process)


def test_two_groups_that_run_at_the_same_time_share_one_snapshot(engine: Engine, database: Database) -> None:
    # GIVEN two groups started together
    database.execute("CREATE TABLE dag_run (id int)", "CREATE TABLE variable (id int)")
    groups = json.dumps(["runs", "definitions"])
    engine.publish_credentials()
    processes: list[subprocess.Popen[str]] = [
        engine.start_script({"dag_run": "run"}, publish=False, EXPORT_GROUP="runs", EXPORT_GROUPS=groups),
        engine.start_script({"variable": "full"}, publish=False, EXPORT_GROUP="definitions", EXPORT_GROUPS=groups),
    ]
    for process in processes:
        _, error = process.communicate(timeout=300)
        assert process.returncode == 0, error[-3000:]

    # THEN one claimed the snapshot, the other imported it, and both name the same claimer
    manifests = [engine.manifest(group) for group in ("runs", "definitions")]
    assert {manifest["consistency"] for manifest in manifests} == {"snapshot"}
    assert sorted(manifest["snapshot"]["role"] for manifest in manifests) == ["claimed", "imported"]
    assert len({manifest["snapshot"]["claimed_by"] for manifest in manifests}) == 1


CANNOT_START = "local-cluster[1,1,128]"  # Spark refuses a cluster whose workers are too small for an executor


def test_a_spark_that_cannot_start_fails_the_group_in_one_line(engine: Engine, database: Database) -> None:
    database.execute("CREATE TABLE variable (id int)")
    code, _, error = engine.run_script({"variable": "full"}, master=CANNOT_START)
    assert code != 0
    last_line = error.strip().splitlines()[-1]
    assert "start Spark: org.apache.spark.SparkException: Asked to launch cluster with 128 MiB/worker" in last_line
    assert database.open_transactions() == 0


def test_a_token_needs_no_spark(engine: Engine, database: Database) -> None:
    # GIVEN credentials that expire, and a Spark that cannot start
    database.execute("CREATE TABLE variable (id int)", "INSERT INTO variable VALUES (1)")
    engine.publish_credentials(expires_at=(datetime.now(UTC) + timedelta(minutes=15)).isoformat())
    code, output, error = engine.run_script({"variable": "full"}, publish=False, master=CANNOT_START)

    # THEN the export is whole, and the log says what was not needed
    assert code == 0, error[-3000:]
    assert engine.manifest()["tables"]["variable"]["rows"] == 1
    messages = [json.loads(line)["message"] for line in output.splitlines()]
    assert any(message.startswith("Spark did not start, which this run did not need") for message in messages)
    assert database.open_transactions() == 0
