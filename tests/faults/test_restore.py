"""Faults of a restore into a running environment: it is as it was, or as exported, and somebody is told."""

import json
import subprocess
import sys
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet

from local.fault_matrix import outcome
from local.fault_matrix.proxy import HOST
from local.fault_matrix.scenario import KEPT_KEY, Scenario
from local.pipeline import DATABASE, ENVIRONMENT, STACK
from local.postgres import USER


class Kept(NamedTuple):
    """A Fernet key, and which version of the stack's secret has it."""

    key: str
    version: str


JOB = f"{ENVIRONMENT}-metadata-restore"
LOST = "UPDATE variable SET val = 'lost'"
VALUES = "SELECT DISTINCT val FROM variable WHERE val NOT LIKE 'value %'"


def exported(scenario: Scenario) -> str:
    """Export everything, spoil the database, and return the URI of the summary."""
    scenario.start(include_tables=[])
    scenario.must_complete()
    scenario.execute(LOST)
    return str(json.loads(scenario.describe()["output"])["summary_uri"])


def begin(scenario: Scenario, fernet_key: str = KEPT_KEY, **given: Any) -> str:
    """Restore as a person does in the console, with credentials of its own, and return the execution's ARN.

    Args:
        fernet_key: version of the Fernet key that the environment has now.
    """
    publish_for_restores(scenario, fernet_key)
    machine = scenario.pipeline.outputs["RestoreStateMachineArn"]
    states = scenario.client("stepfunctions")
    return str(states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])


def publish_for_restores(scenario: Scenario, fernet_key: str = KEPT_KEY) -> None:
    """Write the secret by which a restore writes, as the DAG does."""
    secret = {"engine": "postgres", "host": HOST, "port": scenario.proxy.port, "dbname": DATABASE, "username": USER}
    secret |= {"password": scenario.database.password, "sslmode": "disable", "fernet_key_version": fernet_key}
    scenario.client("secretsmanager").put_secret_value(SecretId=f"{STACK}/restore", SecretString=json.dumps(secret))


def end(scenario: Scenario, arn: str) -> dict[str, Any]:
    """Wait until a restore has ended, and return how."""
    scenario.wait_for(lambda: scenario.describe(arn)["status"] != "RUNNING", "The restore did not end")
    return scenario.describe(arn)


def restore(scenario: Scenario, **given: Any) -> dict[str, Any]:
    """Restore, and return how that ended."""
    return end(scenario, begin(scenario, **given))


def told(scenario: Scenario, *words: str) -> str:
    """Wait for a message that has all of these words."""
    sqs, url = scenario.client("sqs"), scenario.pipeline.alert_queue_url

    def message() -> str | None:
        for found in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            text = str(json.loads(found["Body"])["Message"])
            if all(word in text for word in words):
                return text
        return None

    return str(scenario.wait_for(message, f"No message has {words}", 120.0))


def runs(scenario: Scenario) -> int:
    return len(scenario.client("glue").get_job_runs(JobName=JOB)["JobRuns"])


def values(scenario: Scenario) -> str:
    with psycopg.connect(scenario.pipeline.database_url) as connection:
        return str(connection.execute(VALUES).fetchall())


@pytest.mark.representative
def test_restored(scenario: Scenario) -> None:
    """None: the export is restored, and what was there before is exported first."""
    before = outcome.latest(scenario.pipeline)
    summary = exported(scenario)

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    output = json.loads(ended["output"])
    assert output["kept"] not in (before, summary)
    assert "lost" not in values(scenario)
    assert "What was loaded was read back and compared" in told(scenario, output["report_uri"])


def test_by_the_command(scenario: Scenario) -> None:
    """None: the command restores into the environment, follows the execution and ends with its verdict."""
    exported(scenario)
    publish_for_restores(scenario)
    command = [sys.executable, "-m", "export_cli", "restore", "newest", "--to-environment", ENVIRONMENT, "--yes"]

    ended = subprocess.run(command, env=scenario.pipeline.aws.env, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr + ended.stdout
    for said in (
        "Export Target First succeeded",
        "Restore succeeded",
        "RESTORED after",
        f"restored into {ENVIRONMENT}.",
    ):
        assert said in ended.stdout
    assert "lost" not in values(scenario)


def keep(scenario: Scenario) -> tuple[Kept, Kept]:
    """Keep two Fernet keys, as the DAG does, and let the exports be of the first one."""
    made = Kept(Fernet.generate_key().decode(), uuid4().hex), Kept(Fernet.generate_key().decode(), uuid4().hex)
    for key, version in made:
        given = {"SecretString": key, "ClientRequestToken": version, "VersionStages": ["AWSCURRENT", f"kept-{version}"]}
        scenario.client("secretsmanager").put_secret_value(SecretId=f"{STACK}/fernet-key", **given)
    scenario.publish(fernet_key_version=made[0].version)
    token = Fernet(made[0].key).encrypt(b"plain").decode()
    scenario.execute(f"UPDATE variable SET val = '{token}', is_encrypted = true WHERE key = 'key_1'")
    return made


def decrypted(scenario: Scenario, key: str) -> bytes:
    """Read the one variable that is encrypted, as an Airflow with this key does."""
    with psycopg.connect(scenario.pipeline.database_url) as connection:
        [[token]] = connection.execute("SELECT val FROM variable WHERE is_encrypted").fetchall()
    return Fernet(key).decrypt(token)


def test_fernet_key_changed(scenario: Scenario) -> None:
    """The environment has another Fernet key than when it was exported: what is encrypted is encrypted anew."""
    _, new = keep(scenario)
    summary = exported(scenario)

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT, fernet_key=new.version)

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert decrypted(scenario, new.key) == b"plain"
    bucket, key = json.loads(ended["output"])["report_uri"].removeprefix("s3://").split("/", 1)
    report = json.load(scenario.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
    assert "what is encrypted was encrypted anew with the target's Fernet key" in report["notes"]


def test_fernet_key_does_not_fit(scenario: Scenario) -> None:
    """The version that the summary names has another key than the one that the values were encrypted with."""
    old, new = keep(scenario)
    scenario.publish(fernet_key_version=new.version)
    summary = exported(scenario)

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT, fernet_key=old.version)

    assert (ended["status"], "old Fernet key does not decrypt variable 'key_1'" in ended["cause"]) == ("FAILED", True)
    assert "nothing was changed in the target" in ended["cause"]
    assert "lost" in values(scenario)
    told(scenario, "The restore into MWAA environment demo FAILED", "does not decrypt variable")


@pytest.mark.representative
def test_another_target_confirmed(scenario: Scenario) -> None:
    """The input confirms another environment than the stack's."""
    before = runs(scenario)

    ended = restore(scenario, summary_uri="s3://b.c/x/export_summary_000000.json.gz", confirm="production")

    assert (ended["status"], "allowed is the name of the environment" in ended["cause"]) == ("FAILED", True)
    told(scenario, "The restore into MWAA environment demo FAILED", "confirm is 'production'")
    assert runs(scenario) == before


def test_object_altered(scenario: Scenario) -> None:
    """An object is not what was exported; once it is again, a redrive completes the restore."""
    summary = exported(scenario)
    s3, bucket = scenario.client("s3"), scenario.pipeline.bucket
    key = f"{summary.removeprefix(f's3://{bucket}/').rpartition('/')[0]}/log_{summary[-14:-8]}.csv.gz"
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body[:-20] + bytes([body[-20] ^ 1]) + body[-19:])

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    assert (ended["status"], "nothing was changed in the target" in ended["cause"]) == ("FAILED", True), ended["cause"]
    assert "lost" in values(scenario)
    told(scenario, "The restore into MWAA environment demo FAILED", key)

    s3.put_object(Bucket=bucket, Key=key, Body=body)
    scenario.client("stepfunctions").redrive_execution(executionArn=ended["executionArn"])
    assert end(scenario, ended["executionArn"])["status"] == "SUCCEEDED"
    assert "lost" not in values(scenario)
