"""One whole stack per Airflow version: populated, exported through the DAG, then exported again while nobody writes."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import demo, stack
from local.airflow import population, versions
from local.airflow import server as airflow_server
from local.airflow.population import Population
from local.console import Progress
from local.paths import stack_paths

VERSIONS = os.environ.get("AIRFLOW_VERSIONS", "3.3.1").split(",")  # the demo takes Airflow 2


@dataclass(frozen=True)
class Exported:
    """A stack after two exports."""

    stack: stack.Stack
    population: Population
    dag_run_state: str
    by_dag: dict[str, Any]
    quiet: dict[str, Any]


@pytest.fixture(scope="session", params=VERSIONS)
def exported(request: pytest.FixtureRequest) -> Iterator[Exported]:
    """The stack of one version. Airflow is stopped when the tests see it, the rest runs."""
    progress = Progress()
    versions.find(request.param)
    with stack.running(stack_paths(f"end-to-end-{request.param}"), request.param, progress) as running:
        populated = population.populate(running.airflow, progress=progress.note)
        state = demo.export(running, progress)
        by_dag = demo.describe(running, progress)
        airflow_server.stop(running.paths.airflow)
        execute(running, {"force": True})
        yield Exported(running, populated, state, by_dag, demo.describe(running, progress))


def execute(running: stack.Stack, given: Any) -> dict[str, Any]:
    """Start an execution as a person does in the console, wait for its end, and return its description."""
    stepfunctions = running.client("stepfunctions")
    machine = running.outputs["StateMachineArn"]
    arn = stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    while (execution := stepfunctions.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.3)
    return execution
