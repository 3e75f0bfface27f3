"""Every command as a person runs it, over HTTP."""

import json
import signal
from pathlib import Path

import pytest

from tests.emulated_account import Account
from tests.unit.cli.made import BUCKET
from tests.waiting import wait_until


def test_given_an_export_then_list_show_verify_and_cost_find_it(run):
    listed = json.loads(run("list", "--json").stdout)
    assert [each["status"] for each in listed] == ["COMPLETE", "COMPLETE"]
    assert json.loads(run("show", "--json").stdout)["export_id"] == listed[0]["export_id"]
    verified = run("verify")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "2,002 rows read; all as the summary says" in verified.stdout


def test_given_download_then_the_files_are_there(run, tmp_path: Path):
    assert run("verify", "--download", str(tmp_path)).returncode == 0
    assert len(list(tmp_path.glob("*.csv.gz"))) == 3


def test_given_a_state_machine_then_export_starts_and_follows_it(run):
    result = run("export", "-e", "prod")
    assert result.returncode == 0
    assert "COMPLETE after" in result.stdout
    assert "3 tables, 2,002 rows: s3://prod-exports/summary" in result.stdout


def test_given_the_account_then_doctor_sees_what_is_there_and_what_is_not(run):
    result = run("doctor", "--json")
    verdicts = {each["check"]: each["verdict"] for each in json.loads(result.stdout)["checks"]}
    there = ("stack", "state machine", "environment", "network", "connection", "last export")
    missing = ("Glue job", "schedule", "alerts", "execution role", "secret")  # no key either: see the deployment tests
    assert result.returncode == 1
    assert {name: verdicts[name] for name in there} == dict.fromkeys(there, "pass")
    assert {name: verdicts[name] for name in missing} == dict.fromkeys(missing, "fail")


@pytest.mark.parametrize("arguments", [["list", "-e", "nobody"], ["show", "20200101T000000Z"]], ids=str)
def test_given_something_that_is_not_there_then_the_exit_code_is_four(run, arguments):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr.startswith("Error: ")


def test_given_ctrl_c_then_following_ends_and_the_export_goes_on(account: Account, start):
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    client = account.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=account.machine(wait))["executionArn"]
    process = start("export", "--execution", arn)
    assert "Console" in process.stdout.readline()
    wait_until(lambda: process.poll() is None)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "The export goes on" in errors
    assert client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    client.stop_execution(executionArn=arn)


def test_given_an_endpoint_that_does_not_answer_then_the_exit_code_is_three(start):
    process = start("list", endpoint="http://127.0.0.1:9")
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 3
    assert "Could not connect to the endpoint URL" in errors


COMMANDS = {
    "list": "COMPLETE",
    "show {old}": "COMPLETE",
    "verify {old}": "as the summary says",
    "diff": "gone",
    "cost {old}": "total",
    "query --tables --export {old}": "dag_run",
    "doctor": "pass",
    "repair": "is what its template says",
}


@pytest.fixture(scope="module")
def old(account: Account) -> str:
    """Give the id of the export that has a table with an unusual name."""
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    [key] = [each["Key"] for page in pages for each in page["Contents"] if "%" in each["Key"]]
    year, month, day, name = key.split("/")[-4:]
    return f"{year}{month}{day}T{name.rpartition('_')[2][:6]}Z"


@pytest.mark.parametrize("command", COMMANDS)
def test_given_an_output_that_is_ascii_then_every_command_prints(run, old, command):
    words = command.format(old=old).split()
    result = run(*words, encoding="ascii")
    assert (result.returncode in (0, 1), result.stderr) == (True, "")
    assert COMMANDS[command] in result.stdout
    assert json.loads(run(*words, "--json", encoding="ascii").stdout)
