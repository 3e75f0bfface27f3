"""Ends of a restore into a running environment: it is as it was, or as exported, never between, and each is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from local.fault_matrix.outcome import Alerts
from local.fault_matrix.runs import kill_glue_run
from local.fault_matrix.scenario import Scenario
from local.pipeline import ENVIRONMENT, STACK
from tests.faults.test_restore import JOB, begin, end, exported, restore, values

ROWS = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {} AS t"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
WAITS = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE '%restore' AND wait_event_type = 'Lock'"


def content(scenario: Scenario) -> dict[str, Any]:
    """Return what is in each table of the environment's database."""
    with psycopg.connect(scenario.pipeline.database_url) as connection:
        names = [str(name) for (name,) in connection.execute(TABLES)]
        return {name: connection.execute(ROWS.format(f'"{name}"').encode()).fetchone() for name in names}


def must_have_failed(scenario: Scenario, ended: dict[str, Any], *words: str) -> None:
    """The restore has failed, and an alert of its own says these words."""
    assert ended["status"] == "FAILED", ended
    alerts = Alerts(scenario.pipeline, ended["name"])
    said = ("The restore into MWAA environment demo FAILED", *words)
    found = alerts.wait(lambda got: any(all(word in each["message"] for word in said) for each in got), 120.0)
    messages = [each["message"] for each in found]
    assert any(all(word in message for word in said) for message in messages), (said, messages)


@contextmanager
def waiting_at_the_end(scenario: Scenario) -> Iterator[None]:
    """Let a restore wait when everything is loaded and compared, for a sequence that somebody works with."""
    with psycopg.connect(scenario.pipeline.database_url) as other:
        other.execute("SELECT nextval('log_id_seq')")
        yield


def wait_for_the_end(scenario: Scenario) -> None:
    """Wait until a restore waits there."""

    def waits() -> bool:
        with psycopg.connect(scenario.pipeline.database_url) as connection:
            return bool(connection.execute(WAITS.encode()).fetchall())

    scenario.wait_for(waits, "No restore waits for the sequence")


def kill_the_run(scenario: Scenario) -> None:
    run = scenario.client("glue").get_job_runs(JobName=JOB)["JobRuns"][0]
    assert kill_glue_run(run["Id"])


def test_killed_before_the_commit(scenario: Scenario) -> None:
    """The run is killed (SIGKILL) when everything is loaded and compared; a redrive completes the restore."""
    summary, before = exported(scenario), content(scenario)

    with waiting_at_the_end(scenario):
        arn = begin(scenario, summary_uri=summary, confirm=ENVIRONMENT)
        wait_for_the_end(scenario)
        kill_the_run(scenario)
        ended = end(scenario, arn)

    must_have_failed(scenario, ended, "exit code 137", "So the database\nis as it was", "redrive")
    assert content(scenario) == before
    scenario.client("stepfunctions").redrive_execution(executionArn=arn)
    assert end(scenario, arn)["status"] == "SUCCEEDED"
    assert "lost" not in values(scenario)


def test_killed_after_the_commit(scenario: Scenario) -> None:
    """The run is killed (SIGKILL) after its commit, before its report is written; a redrive restores nothing again."""
    complete = content(scenario)
    summary = exported(scenario)
    scenario.faults.kill_caller("s3", "PutObject", r"_restores/.*/report\.json")

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    must_have_failed(scenario, ended, "exit code 137", "As it was, or what the export was", "committing.json")
    assert content(scenario) == complete
    with psycopg.connect(scenario.pipeline.database_url) as connection:
        connection.execute("INSERT INTO variable (key, val, is_encrypted) VALUES ('since', 'stays', false)")
    scenario.client("stepfunctions").redrive_execution(executionArn=ended["executionArn"])
    assert end(scenario, ended["executionArn"])["status"] == "SUCCEEDED"
    assert "stays" in values(scenario)


def test_commit_not_announced(scenario: Scenario) -> None:
    """S3 refuses what the run writes just before its commit."""
    summary, before = exported(scenario), content(scenario)
    scenario.faults.refuse("s3", "PutObject", "AccessDenied", 403, resource=r"committing\.json", times=None)

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    must_have_failed(scenario, ended, "committing.json cannot be written", "nothing was changed in the target")
    assert content(scenario) == before


def start(scenario: Scenario, summary: str) -> dict[str, Any]:
    """Restore with whatever credentials the secret has, and return how that ended."""
    machine = scenario.pipeline.outputs["RestoreStateMachineArn"]
    given = json.dumps({"summary_uri": summary, "confirm": ENVIRONMENT})
    states = scenario.client("stepfunctions")
    return end(scenario, states.start_execution(stateMachineArn=machine, input=given)["executionArn"])


def test_secret_gone(scenario: Scenario) -> None:
    """The secret with the writer's credentials is scheduled for deletion."""
    summary, before = exported(scenario), content(scenario)
    secrets = scenario.client("secretsmanager")
    secrets.delete_secret(SecretId=f"{STACK}/restore", RecoveryWindowInDays=7)
    scenario.undo.callback(secrets.restore_secret, SecretId=f"{STACK}/restore")

    must_have_failed(scenario, start(scenario, summary), f"{STACK}/restore")

    assert content(scenario) == before


def test_credentials_refused(scenario: Scenario) -> None:
    """The database refuses the writer's credentials."""
    summary, before = exported(scenario), content(scenario)
    secrets = scenario.client("secretsmanager")
    secret = json.loads(secrets.get_secret_value(SecretId=scenario.pipeline.outputs["SecretArn"])["SecretString"])
    secrets.put_secret_value(SecretId=f"{STACK}/restore", SecretString=json.dumps(secret | {"password": "another"}))

    ended = start(scenario, summary)

    must_have_failed(scenario, ended, "password authentication failed", "nothing was changed in the target")
    assert content(scenario) == before


def test_object_archived(scenario: Scenario) -> None:
    """An object of the export is in Glacier by now."""
    summary, before = exported(scenario), content(scenario)
    scenario.faults.refuse("s3", "GetObject", "InvalidObjectState", 403, resource=r"/log_\d+\.csv", times=None)

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    must_have_failed(scenario, ended, "it is archived. Restore it from Glacier", "nothing was changed in the target")
    assert content(scenario) == before


def test_two_at_once(scenario: Scenario) -> None:
    """Two restores are started at the same time."""
    complete = content(scenario)
    given = {"summary_uri": exported(scenario), "confirm": ENVIRONMENT}

    ended = [end(scenario, arn) for arn in [begin(scenario, **given), begin(scenario, **given)]]

    assert "SUCCEEDED" in [each["status"] for each in ended]
    for each in ended:
        if each["status"] != "SUCCEEDED":
            must_have_failed(scenario, each)
    assert content(scenario) == complete


def test_lock_never_granted(scenario: Scenario) -> None:
    """Somebody holds a lock on a table all the time."""
    summary, before = exported(scenario), content(scenario)

    with psycopg.connect(scenario.pipeline.database_url) as other:
        other.execute("LOCK TABLE variable IN ACCESS SHARE MODE")
        ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    must_have_failed(scenario, ended, "Could not lock the target's tables", "nothing was changed in the target")
    assert content(scenario) == before


def test_loaded_differently(scenario: Scenario) -> None:
    """A trigger of the target changes what is loaded."""
    summary, before = exported(scenario), content(scenario)
    scenario.execute(
        "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.val := ''other''; RETURN NEW; END';"
        "CREATE TRIGGER other BEFORE INSERT ON variable FOR EACH ROW EXECUTE FUNCTION other()"
    )

    ended = restore(scenario, summary_uri=summary, confirm=ENVIRONMENT)

    must_have_failed(scenario, ended, "variable", "nothing was changed in the target")
    assert content(scenario) == before


def test_connection_lost(scenario: Scenario) -> None:
    """The connection to the database is lost when everything is loaded; a redrive completes the restore."""
    summary, before = exported(scenario), content(scenario)

    with waiting_at_the_end(scenario):
        arn = begin(scenario, summary_uri=summary, confirm=ENVIRONMENT)
        wait_for_the_end(scenario)
        scenario.execute(WAITS.replace("SELECT 1", "SELECT pg_terminate_backend(pid)"))
        ended = end(scenario, arn)

    must_have_failed(scenario, ended, "nothing was changed in the target")
    assert content(scenario) == before
    scenario.client("stepfunctions").redrive_execution(executionArn=arn)
    assert end(scenario, arn)["status"] == "SUCCEEDED"
    assert "lost" not in values(scenario)
