"""A worker of MWAA dies: the DAG's own functions, in processes and in the role of the environment, and their retries.

How a real Airflow finds that a task has died and tries it again is tested in `tests/integration/airflow`.
"""

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario
from local.paths import ROOT
from local.pipeline import ENVIRONMENT, STACK

RUN_ID = "scheduled__2026-01-01T00:00:00+00:00"
SMALL = ("variable",)
DEAD = -signal.SIGKILL


class Worker:
    """A worker of the environment, whose execution role has the policy of the stack."""

    def __init__(self, scenario: Scenario) -> None:
        iam, role = scenario.client("iam"), scenario.pipeline.account.execution_role
        iam.attach_role_policy(RoleName=role, PolicyArn=scenario.pipeline.outputs["MwaaExecutionPolicyArn"])
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
        keys = scenario.client("sts").assume_role(RoleArn=arn, RoleSessionName="worker")["Credentials"]
        self._env = scenario.pipeline.aws.env | {
            "AIRFLOW_ENV_NAME": ENVIRONMENT,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def run(self, task: str, *arguments: Any) -> tuple[int, Any]:
        """Run a task in a process; return its exit code and what it returned."""
        command = [sys.executable, "-m", "tests.faults.dag_task", task, json.dumps(arguments)]
        done = subprocess.run(command, cwd=ROOT, env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode in (0, DEAD), done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def worker(scenario: Scenario) -> Worker:
    scenario.tables = SMALL
    return Worker(scenario)


def start(scenario: Scenario, worker: Worker, run_id: str) -> tuple[int, Any]:
    params = {"include_tables": list(SMALL)}
    return worker.run("start_export", scenario.pipeline.outputs["SecretArn"], params, run_id)


def executions(scenario: Scenario) -> set[str]:
    machine = scenario.pipeline.outputs["StateMachineArn"]
    pages = scenario.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    return {execution["executionArn"] for page in pages for execution in page["executions"]}


def test_worker_dies_when_it_has_started_the_export(scenario: Scenario, worker: Worker) -> None:
    """The DAG's worker dies once it has started the export: the next try attaches to it."""
    before = executions(scenario)
    scenario.faults.kill_caller("states", "StartExecution", STACK, after=True)
    assert start(scenario, worker, RUN_ID) == (DEAD, None)

    code, arn = start(scenario, worker, RUN_ID)

    assert (code, executions(scenario) - before) == (0, {arn})
    scenario.follow(arn)
    scenario.must_complete()


def test_worker_dies_while_it_waits(scenario: Scenario, worker: Worker) -> None:
    """The DAG's worker dies while it waits: the export goes on, and the next try waits for it again."""
    with scenario.faults.held("glue", "StartJobRun") as held:
        _, arn = start(scenario, worker, f"{RUN_ID}, again")
        held.wait()
        scenario.faults.kill_caller("states", "DescribeExecution")
        assert worker.run("wait_for_export", arn) == (DEAD, None)
        assert worker.run("wait_for_export", arn) == (0, {"is_done": False, "xcom_value": None})

    scenario.follow(arn)
    scenario.must_complete()
    _, answer = worker.run("wait_for_export", arn)
    assert (answer["is_done"], answer["xcom_value"]["status"]) == (True, "COMPLETE")


def test_dag_meets_another_export(scenario: Scenario, worker: Worker) -> None:
    """The DAG starts in mid-export: it waits for the export at work, and starts its own when it is cleared later."""
    with scenario.faults.held("glue", "StartJobRun") as held:
        _, winner = start(scenario, worker, f"{RUN_ID}, first")
        held.wait()
        _, arn = start(scenario, worker, f"{RUN_ID}, second")
        control.wait_until_ended(scenario, arn)
        assert worker.run("wait_for_export", arn) == (0, {"is_done": False, "xcom_value": None})
    scenario.follow(winner)
    control.must_yield(scenario, winner, arn)
    scenario.must_complete()

    _, answer = worker.run("wait_for_export", arn)
    assert answer["xcom_value"]["summary_uri"] == json.loads(scenario.describe()["output"])["summary_uri"]
    _, third = start(scenario, worker, f"{RUN_ID}, second")
    assert third not in (arn, winner)
    assert control.wait_until_ended(scenario, third) == "SUCCEEDED"
