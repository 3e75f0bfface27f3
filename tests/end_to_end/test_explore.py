"""`make up` and `make down`, in a folder of their own, because a person's stack may be running."""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import boto3
import psutil
import pytest

from local.paths import LOCAL, ROOT

FOLDER = "end-to-end-up"
IMPORTS = """
from local import explore
from local.airflow import versions
from local.console import Progress
from local.paths import stack_paths
"""


def call(function: str) -> "subprocess.CompletedProcess[str]":
    """Call one of the two in a process of its own: what `up` starts must outlive it."""
    version = "versions.NEWEST, " if function == "up" else ""
    code = f"{IMPORTS}explore.{function}(stack_paths({FOLDER!r}), {version}Progress())"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def processes() -> list[str]:
    """Command lines of processes that work in the stack's folder."""
    lines = (" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if str(LOCAL / FOLDER) in line]


@pytest.fixture(scope="module")
def printed() -> Iterator[str]:
    """What `make up` prints."""
    try:
        done = call("up")
        assert done.returncode == 0, done.stdout + done.stderr
        yield done.stdout
    finally:
        call("down")


def test_given_a_stack_that_is_up_then_airflow_answers_where_it_says(printed: str) -> None:
    [url] = re.findall(r"(http://\S+)\s+login \w+ / \S+", printed)
    with urllib.request.urlopen(url, timeout=60) as page:  # noqa: S310 - a local URL
        assert page.status == 200


def test_given_a_stack_that_is_up_then_its_variables_lead_to_the_deployed_account(printed: str) -> None:
    given = dict(re.findall(r"export (AWS_\w+)=(\S+)", printed))
    client = boto3.client(
        "stepfunctions",
        endpoint_url=given["AWS_ENDPOINT_URL"],
        region_name=given["AWS_DEFAULT_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
    machines = {each["stateMachineArn"] for each in client.list_state_machines()["stateMachines"]}
    [told] = re.findall(r"--state-machine-arn (\S+) ", printed)
    assert told in machines
    assert told.endswith(":demo-metadata-export")


def test_given_a_stack_that_is_up_when_taken_down_then_no_process_is_left(printed: str) -> None:
    assert processes()

    assert call("down").returncode == 0

    assert processes() == []
    assert "nothing was running" in call("down").stdout
