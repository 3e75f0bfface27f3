"""One whole stack per Airflow version, started by `make up`: populated, exported through the DAG, then exported again
while nobody writes.
"""

import json
import os
import pickle
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import demo, stack
from local.airflow import population, versions
from local.airflow import server as airflow_server
from local.airflow.population import Population
from local.console import Progress
from local.paths import ROOT, StackPaths, stack_paths

VERSIONS = os.environ.get("AIRFLOW_VERSIONS", "3.3.1").split(",")  # the demo takes Airflow 2
UP = """
import pickle, sys
from dataclasses import replace
from local import explore
from local.console import Progress
from local.paths import stack_paths
folder, version, file = sys.argv[1:]
started = explore.up(stack_paths(folder), version, Progress())
with open(file, "wb") as stream:
    pickle.dump(replace(started, aws=replace(started.aws, process=None)), stream)
"""


@dataclass(frozen=True)
class Exported:
    """A stack after two exports; what `make up` printed of it, and whether Airflow was where that says."""

    stack: stack.Stack
    printed: str
    page_status: int
    population: Population
    dag_run_state: str
    by_dag: dict[str, Any]
    quiet: dict[str, Any]


@pytest.fixture(scope="session", params=VERSIONS)
def exported(request: pytest.FixtureRequest) -> Iterator[Exported]:
    """The stack of one version. Airflow is stopped when the tests see it, the rest runs."""
    progress = Progress()
    paths = stack_paths(f"end-to-end-{versions.find(request.param).number}")
    try:
        running, printed = up(paths, request.param)
        [url] = re.findall(r"(http://\S+)\s+login \w+ / \S+", printed)
        with urllib.request.urlopen(url, timeout=60) as page:  # noqa: S310 - a local URL
            status = page.status
        populated = population.populate(running.airflow, progress=progress.note)
        state = demo.export(running, progress)
        by_dag = demo.describe(running, progress)
        airflow_server.stop(running.paths.airflow)
        execute(running, {"force": True})
        yield Exported(running, printed, status, populated, state, by_dag, demo.describe(running, progress))
    finally:
        stack.stop(paths)


def up(paths: StackPaths, version: str) -> tuple[stack.Stack, str]:
    """Start a stack in a process of its own, which it outlives, and return it and what was printed."""
    file = paths.state.with_suffix(".pickle")
    command = [sys.executable, "-c", UP, paths.root.name, version, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    started = pickle.loads(file.read_bytes())  # noqa: S301 - our own
    file.unlink()  # the database's password is in it
    return started, done.stdout


def execute(running: stack.Stack, given: Any) -> dict[str, Any]:
    """Start an execution as a person does in the console, wait for its end, and return its description."""
    stepfunctions = running.client("stepfunctions")
    machine = running.outputs["StateMachineArn"]
    arn = stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    while (execution := stepfunctions.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.3)
    return execution
