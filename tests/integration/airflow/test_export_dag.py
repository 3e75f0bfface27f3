"""The DAG file, unchanged, in real Airflows: imported, shown, run, failed, retried."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from local.airflow import configuration, server, versions
from local.airflow.environment import AirflowEnvironment
from local.airflow.errors import ApiError
from local.aws.injection.client import Faults
from tests.integration.airflow.conftest import DAG_ID, EXPLODE, PASSWORD, STACK, Running
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
# https://github.com/apache/airflow/pull/55767: the retries of a killed task count in later versions only
FAILS_KILLED_TASKS = {"3.0.6"}
TASKS = ["publish_credentials", "start_export", "wait_for_export"]


@pytest.fixture
def imported(installed: AirflowEnvironment, tmp_path: Path) -> dict[str, Any]:
    """What importing the DAG file does on a machine that knows nothing: no AWS, no region, no environment name."""
    script, answer = Path(__file__).with_name("import_dag.py"), tmp_path / "answer.json"
    variables = {"AIRFLOW_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [str(installed.python), str(script), str(server.EXPORT_DAG_FILE), str(answer)]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(answer.read_text()))


def test_given_a_bare_machine_then_the_file_imports_without_a_warning_of_ours(imported: dict[str, Any]) -> None:
    assert imported["ours"] == []
    assert imported["tasks"] == TASKS


def test_given_airflow_then_it_shows_three_tasks_and_a_form(running: Running) -> None:
    tasks = running.api.call("GET", f"/dags/{DAG_ID}/tasks")["tasks"]
    assert [task["task_id"] for task in sorted(tasks, key=lambda task: str(task["task_id"]))] == TASKS
    details = running.api.call("GET", f"/dags/{DAG_ID}/details")
    assert set(details["params"]) == {"max_age_in_days", "include_tables", "exclude_tables", "force"}
    assert details["is_paused"] is False
    assert details["catchup"] is False
    assert details["max_active_runs"] == 1
    assert "metadata_export_name" in details["doc_md"]


def test_given_a_form_that_breaks_the_rules_then_airflow_refuses_it(running: Running) -> None:
    with pytest.raises(ApiError, match=r"(?s)answered 4\d\d.*5000 is greater than the maximum of 3650"):
        running.run(max_age_in_days=5000)


@pytest.fixture(scope="module")
def succeeded(running: Running) -> str:
    """A run that exported, seen to give its slot back while it waited."""
    with Faults(running.aws.endpoint).held("sns", "Publish"):
        run_id = running.run(max_age_in_days=7)
        wait_until(
            lambda: running.tasks(run_id)["wait_for_export"]["state"] == "up_for_reschedule",
            "the sensor is rescheduled",
        )
    assert running.state(run_id) == "success"
    return run_id


def execution_of(running: Running, run_id: str) -> dict[str, Any]:
    entry = running.api.call(
        "GET", f"/dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}/taskInstances/start_export/xcomEntries/return_value"
    )
    arn = entry["value"].strip('"')
    return dict(running.client("stepfunctions").describe_execution(executionArn=arn))


def test_given_a_run_then_it_ends_when_its_execution_has(running: Running, succeeded: str) -> None:
    execution = execution_of(running, succeeded)
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["input"]) == {"trigger": "dag", "max_age_in_days": 7}


@pytest.mark.usefixtures("succeeded")
def test_given_a_run_then_the_secret_opens_the_metadata_database(running: Running) -> None:
    value = running.client("secretsmanager").get_secret_value(SecretId=f"{STACK}/database")["SecretString"]
    secret = json.loads(value)
    assert secret.pop("engine") == "postgres"
    assert secret.pop("fernet_key_version")
    secret["user"] = secret.pop("username")
    assert secret["dbname"] == running.dbname
    assert secret["password"] == PASSWORD
    with psycopg.connect(**secret) as connection:
        row = connection.execute("SELECT count(*) FROM dag_run WHERE dag_id = %s", [DAG_ID]).fetchone()
    assert row is not None
    assert row[0] > 0


@pytest.mark.usefixtures("succeeded")
def test_given_a_stack_that_keeps_it_then_the_fernet_key_is_in_its_secret_and_nowhere_in_airflow(
    running: Running,
) -> None:
    secrets = running.client("secretsmanager")
    published = json.loads(secrets.get_secret_value(SecretId=f"{STACK}/database")["SecretString"])
    version = {"SecretId": f"{STACK}/fernet-key", "VersionId": published["fernet_key_version"]}
    fernet = configuration.Keys.load_or_create(running.airflow.home / "keys.json").fernet
    assert secrets.get_secret_value(**version)["SecretString"] == fernet
    assert "Keeps a new Fernet key" in running.log("publish_credentials")
    assert fernet not in "".join(map(running.log, TASKS)) + str(published)


def test_given_a_run_then_where_the_summary_is_can_be_read_in_airflow(running: Running, succeeded: str) -> None:
    entry = running.api.call(
        "GET",
        f"/dags/{DAG_ID}/dagRuns/{quote(succeeded, safe='')}/taskInstances/wait_for_export/xcomEntries/return_value",
    )
    assert "s3://bucket/summary.json.gz" in str(entry["value"])


def clear(running: Running, run_id: str, *task_ids: str) -> None:
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": list(task_ids), "only_failed": False}
    running.api.call("POST", f"/dags/{DAG_ID}/clearTaskInstances", {**body, "reset_dag_runs": True})


def test_given_a_task_that_starts_over_then_it_attaches_to_the_execution_that_is_there(
    running: Running, succeeded: str
) -> None:
    before = running.executions()
    clear(running, succeeded, "start_export", "wait_for_export")
    wait_until(lambda: running.api.dag_run(DAG_ID, succeeded)["state"] != "success", "the run starts over")
    assert running.state(succeeded) == "success"
    assert running.executions() == before


def clear_what_failed(running: Running, run_id: str, *task_ids: str) -> None:
    """Do what a person has to where Airflow does not try a killed task again."""
    if running.airflow.number in FAILS_KILLED_TASKS:
        assert running.state(run_id) == "failed"
        clear(running, run_id, *task_ids)


@pytest.fixture(scope="module")
def survived(running: Running) -> str:
    """A run whose worker dies twice: once the execution has started, and while it waits for it."""
    if "AIRFLOW_VERSIONS" not in os.environ and running.airflow.number != versions.NEWEST:
        pytest.skip("waits through two retries of half a minute: AIRFLOW_VERSIONS chooses older versions")
    faults = Faults(running.aws.endpoint)
    started = faults.kill_caller("states", "StartExecution", after=True)
    # The first look is that of the start's second try, when the execution has ended by then.
    waiting = faults.kill_caller("states", "DescribeExecution", skip=1)
    run_id = running.run(include_tables=["dag"])
    try:
        started.wait()
        clear_what_failed(running, run_id, "start_export", "wait_for_export")
        waiting.wait()
        clear_what_failed(running, run_id, "wait_for_export")
    finally:
        faults.remove()
    return run_id


def test_given_workers_that_die_then_the_next_tries_attach_to_the_one_execution(
    running: Running, survived: str
) -> None:
    assert running.state(survived) == "success"
    tries = {name: task["try_number"] for name, task in running.tasks(survived).items()}
    assert (tries["start_export"], tries["wait_for_export"]) == (2, 2)
    attached = execution_of(running, survived)["executionArn"]
    prefix = attached.rpartition(":")[2]
    assert [arn for arn in running.executions() if prefix in arn] == [attached]


@pytest.fixture(scope="module")
def failed(running: Running) -> str:
    """A run whose execution failed."""
    run_id = running.run(include_tables=[EXPLODE])
    assert running.state(run_id) == "failed"
    return run_id


def test_given_an_execution_that_fails_then_the_task_fails_at_once_with_the_reason(
    running: Running, failed: str
) -> None:
    task = running.tasks(failed)["wait_for_export"]
    assert (task["state"], task["try_number"]) == ("failed", 1)
    assert "The export FAILED: ExportIncompleteError: group runs failed: disk full" in running.log("wait_for_export")


def test_given_a_failed_run_that_is_cleared_then_another_execution_starts(running: Running, failed: str) -> None:
    before = running.executions()
    clear(running, failed, *TASKS)
    wait_until(lambda: len(running.executions()) > len(before), "another execution")
    assert running.state(failed) == "failed"
    new = set(running.executions()) - set(before)
    assert len(new) == 1
    assert new.pop().endswith("-2")


def test_given_another_name_in_the_airflow_variable_then_that_stack_is_looked_for(running: Running) -> None:
    running.api.call("POST", "/variables", {"key": "metadata_export_name", "value": "elsewhere"})
    try:
        run_id = running.run()
        assert running.state(run_id) == "failed"
    finally:
        running.api.call("DELETE", "/variables/metadata_export_name")
    assert running.tasks(run_id)["publish_credentials"]["try_number"] == 1
    assert "Writing the secret elsewhere/database failed" in running.log("publish_credentials")


@pytest.mark.usefixtures("succeeded", "failed")
def test_given_all_these_runs_then_the_password_is_in_no_log_no_xcom_and_no_execution(running: Running) -> None:
    searched = [file for file in running.airflow.home.rglob("*.log") if file.is_file()]
    assert any("task_id=publish_credentials" in str(file) for file in searched)
    texts = {str(file): file.read_text(errors="replace") for file in searched}
    with psycopg.connect(running.database.url(running.dbname)) as connection:
        for table in ("xcom", "rendered_task_instance_fields", "log", "dag_run", "task_instance"):
            texts[table] = str(connection.execute(f"SELECT to_jsonb(t) FROM {table} t").fetchall())
    states = running.client("stepfunctions")
    for arn in running.executions():
        texts[arn] = str(states.get_execution_history(executionArn=arn)["events"])
    spellings = {PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1], PASSWORD.encode().hex(), "c4n4ry"}
    assert [name for name, text in texts.items() if any(spelling in text for spelling in spellings)] == []
