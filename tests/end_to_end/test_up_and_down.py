"""`make up` and `make down`. This is the last file of its folder: the stack of all the others is gone afterwards."""

import re
import subprocess
import sys

import boto3
import psutil

from local.paths import ROOT

from .conftest import Exported

DOWN = """
import sys
from local import explore
from local.console import Progress
from local.paths import stack_paths
explore.down(stack_paths(sys.argv[1]), Progress())
"""


def down(exported: Exported) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", DOWN, exported.stack.paths.root.name]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def processes(exported: Exported) -> list[str]:
    """Command lines of processes that work in the stack's folder."""
    lines = (" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if f"{exported.stack.paths.root}/" in line]


def test_given_a_stack_that_is_up_then_airflow_answers_where_it_says(exported: Exported) -> None:
    assert exported.page_status == 200


def test_given_a_stack_that_is_up_then_its_variables_lead_to_the_deployed_account(exported: Exported) -> None:
    given = dict(re.findall(r"export (AWS_\w+)=(\S+)", exported.printed))
    client = boto3.client(
        "stepfunctions",
        endpoint_url=given["AWS_ENDPOINT_URL"],
        region_name=given["AWS_DEFAULT_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
    machines = {each["stateMachineArn"] for each in client.list_state_machines()["stateMachines"]}
    [told] = re.findall(r"--state-machine-arn (\S+) ", exported.printed)
    assert told in machines
    assert told.endswith(":demo-metadata-export")


def test_given_a_stack_that_is_up_when_taken_down_then_no_process_is_left(exported: Exported) -> None:
    assert processes(exported)

    assert down(exported).returncode == 0

    assert processes(exported) == []
    assert "nothing was running" in down(exported).stdout
