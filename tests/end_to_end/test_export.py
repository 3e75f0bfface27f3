"""What a user relies on, in each Airflow version: complete, equal to the database, nothing leaked, nothing left."""

import json

import jsonschema
import psycopg

from local import canary
from local.airflow.configuration import Keys
from local.compare import compare_export
from local.paths import ROOT
from local.pipeline import STACK

EXPECTED_STATES = [
    "Plan Export",
    "Is Export Due?",
    "Prepare Connection",
    "Export Table Groups",
    "Export Group",
    "Aggregate Results",
    "Is Export Complete?",
    "Export Complete",
]


def test_the_dag_ends_well_and_the_export_is_complete(exported):
    assert exported.dag_run_state == "success"
    assert exported.by_dag["execution"]["status"] == "SUCCEEDED"
    assert exported.by_dag["summary"]["status"] == "COMPLETE"
    assert exported.by_dag["summary"]["trigger"] == "dag"


def test_the_states_of_the_happy_path_were_executed(exported):
    assert [state["state"] for state in exported.by_dag["states"]] == EXPECTED_STATES


def test_all_groups_read_one_snapshot(exported):
    assert exported.by_dag["summary"]["consistency"] == "snapshot"


def test_the_summary_fulfils_its_contract(exported):
    schema = json.loads((ROOT / "docs/contracts/export_summary.schema.json").read_text())

    jsonschema.validate(exported.by_dag["summary"], schema)


def test_every_file_equals_its_table(exported):
    summary, running = exported.quiet["summary"], exported.stack
    folder = ROOT / exported.quiet["mirror"]

    differences = compare_export(running.database_url, summary["details"], lambda key: (folder / key).open("rb"))

    assert differences == []
    assert summary["tables"]["task_instance"] > 0
    assert summary["tables"]["xcom"] > 0


def test_every_table_of_the_database_is_exported_or_left_out_with_a_reason(exported):
    with psycopg.connect(exported.stack.database_url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    live = {row[0] for row in rows}
    summary = exported.quiet["summary"]

    assert len(live) > 40
    assert live <= summary["tables"].keys() | summary["skipped_tables"].keys()


def test_the_second_export_has_objects_of_its_own(exported):
    first, second = exported.by_dag["summary"], exported.quiet["summary"]
    keys = [{detail["key"] for detail in summary["details"].values()} for summary in (first, second)]

    assert not keys[0] & keys[1]


def test_nobody_was_alerted(exported):
    assert exported.by_dag["alerts"] == []
    assert exported.quiet["alerts"] == []


def test_no_transaction_is_left_open(exported):
    query = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
    query += " AND backend_type = 'client backend'"
    with psycopg.connect(exported.stack.database_url) as connection:
        assert connection.execute(query).fetchone() == (0,)


def test_no_upload_is_left_incomplete(exported):
    answer = exported.stack.client("s3").list_multipart_uploads(Bucket=exported.stack.bucket)

    assert answer.get("Uploads", []) == []


def fernet_key(exported) -> str:
    """The worker's own, which the stack keeps (KeepFernetKey)."""
    return Keys.load_or_create(exported.stack.paths.airflow / "keys.json").fernet


class TestTheSecrets:
    """The database's password and the Fernet key are canaries: nothing but Secrets Manager may have them."""

    def test_are_what_the_dag_published(self, exported):
        secrets = exported.stack.client("secretsmanager")
        secret = json.loads(secrets.get_secret_value(SecretId=exported.stack.outputs["SecretArn"])["SecretString"])

        assert secret["password"] == exported.stack.database.password
        assert canary.of(exported.stack) in secret["password"]
        kept = secrets.get_secret_value(SecretId=f"{STACK}/fernet-key", VersionId=secret["fernet_key_version"])
        assert kept["SecretString"] == fernet_key(exported)

    def test_are_in_no_trace_of_the_two_exports(self, exported):
        """In no log, history, input, output, argument, XCom, manifest, report, summary, row, alert or decision."""
        found = canary.search(exported.stack, fernet_key(exported).rstrip("="))
        for export in (exported.by_dag, exported.quiet):
            found.look("alerts", "of an export", export["alerts"])

        canary.check(found)
        assert found.looked_at["log file"] > 10
        assert found.looked_at["execution"] == 2
        assert found.looked_at["Glue run"] == 9  # five, then four: the first export has found no unknown table
        assert found.looked_at["object"] > 80
        assert found.looked_at["XCom"] > 0
