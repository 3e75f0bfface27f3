"""`restore --to-environment`: what it asks the state machine of an environment for, and how it follows it."""

import io
import json
from collections.abc import Callable
from typing import Any

import click
import pytest

from export_cli import following
from tests.contracts import violations
from tests.unit.cli.conftest import STACK_PARAMETERS
from tests.unit.cli.made import ARN, BUCKET, LAYOUT
from tests.unit.cli.test_export import BEGAN, StepFunctions

RESTORE_MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:prod-db-restore"
RESTORE_ARN = RESTORE_MACHINE.replace(":stateMachine:", ":execution:") + ":run-1"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:old-metadata-export/fernet-key-AbCdEf"
DONE = {"status": "RESTORED", "environment": "prod", "export_id": "20261211T143022Z", "kept": "s3://b/kept"}
DONE |= {"report_uri": "s3://b/report.json"}


class Restores(StepFunctions):
    """One execution of the state machine that restores."""

    def start_execution(self, **request: Any) -> dict[str, Any]:
        """Start it."""
        super().start_execution(**request)
        return {"executionArn": RESTORE_ARN}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Describe it."""
        known = {RESTORE_ARN: ARN}.get(executionArn, "")
        return super().describe_execution(known) | {"executionArn": executionArn}

    def redrive_execution(self, executionArn: str) -> None:  # noqa: N803 - AWS' name
        """Let it go on, and end well."""
        super().redrive_execution(executionArn)
        self.output = DONE

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        """Return the history, or the one execution of the machine that was asked for."""
        if self.paginated == "list_executions":
            assert request == {"stateMachineArn": RESTORE_MACHINE}
            return [{"executions": [{"executionArn": RESTORE_ARN, "startDate": BEGAN}]}]
        return super().paginate(**request)


@pytest.fixture
def machine(made: Any, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Restores]:
    """Give a function that makes the state machine; the stack of prod allows restores."""
    monkeypatch.setattr(following, "POLL_SECONDS", 0)
    output = {"OutputKey": "RestoreStateMachineArn", "OutputValue": RESTORE_MACHINE}
    fakes["cloudformation"].stacks["prod-metadata-export"]["Outputs"].append(output)

    def make(**how: Any) -> Restores:
        fakes["stepfunctions"] = Restores(**how)
        return fakes["stepfunctions"]

    return make


def test_given_an_export_then_the_state_machine_of_the_environment_is_asked_for_it_and_followed(machine, made, run):
    client = machine(output=DONE)
    summary = made.export()

    result = run("restore", "--to-environment", "prod", "--yes")

    assert result.code == 0, result.err
    [started] = client.started
    given = json.loads(started["input"])
    assert (started["stateMachineArn"], violations("restore_input", given)) == (RESTORE_MACHINE, [])
    assert given == {
        "summary_uri": f"s3://{BUCKET}/{LAYOUT.summary_key(summary.started)}",
        "confirm": "prod", "paused": True, "unfinished": "fail", "without_orphans": False,
    }  # fmt: skip
    assert "Plan Export succeeded" in result.out
    for said in ("RESTORED after", "was restored into prod", "s3://b/kept", "s3://b/report.json"):
        assert said in result.out


def test_given_options_then_they_are_in_the_input(machine, made, run):
    client = machine(output=DONE)
    made.export()
    options = ["-t", "dag", "--as-exported", "--unfinished", "keep", "--without-orphans"]
    options += ["--old-fernet-key", f"secretsmanager:{SECRET}"]

    assert run("restore", "latest", "--to-environment", "prod", "--yes", *options).code == 0

    given = json.loads(client.started[0]["input"])
    assert violations("restore_input", given) == []
    assert (given["tables"], given["paused"], given["unfinished"]) == (["dag"], False, "keep")
    assert (given["without_orphans"], given["old_fernet_key"]) == (True, SECRET)


def test_given_another_environment_then_its_export_goes_into_the_one_that_is_named(machine, made, fakes, run):
    client = machine(output=DONE)
    made.export()
    outputs = made.outputs() | {"RestoreStateMachineArn": RESTORE_MACHINE}
    fakes["cloudformation"].add("new-metadata-export", STACK_PARAMETERS | {"MwaaEnvironmentName": "new"}, outputs)

    assert run("restore", "-e", "prod", "--to-environment", "new", "--yes").code == 0

    given = json.loads(client.started[0]["input"])
    assert (given["confirm"], "/prod-backups/" in given["summary_uri"]) == ("new", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "postgresql://x"], "there is no --to:"),
        (["--mode", "fill", "--replace"], "there is no --mode, --replace:"),
        (["--dry-run"], "--dry-run"),
        (["--fernet-key", "prompt"], "--fernet-key"),
        (["--old-fernet-key", "file:key"], "secretsmanager:ARN"),
        (["--old-fernet-key", "secretsmanager:old/fernet-key"], "ARN of a secret"),
        (["-t", "dag", "-t", "dag"], "different table names"),
    ],
    ids=str,
)
def test_given_options_that_are_not_of_an_environment_then_nothing_is_started(machine, made, run, arguments, said):
    client = machine()
    made.export()
    result = run("restore", "--to-environment", "prod", "--yes", *arguments)
    assert (result.code, client.started) == (2, [])
    assert said in " ".join(result.err.split())


def test_given_neither_a_database_nor_an_environment_then_it_asks_where_to(made, run):
    result = run("restore")
    assert result.code == 2
    assert "--to URL, or --to-environment NAME" in result.err


def test_given_a_stack_that_allows_no_restore_then_it_says_which_parameter_does(made, run):
    made.export()
    result = run("restore", "--to-environment", "prod", "--yes")
    assert result.code == 4
    assert "AllowRestore=true" in result.err


def test_given_nobody_who_can_be_asked_then_nothing_is_started(machine, made, run):
    client = machine()
    made.export()
    result = run("restore", "--to-environment", "prod")
    assert (result.code, client.started) == (2, [])
    assert "say --yes to overwrite prod" in result.err


@pytest.mark.parametrize(("typed", "code", "starts"), [("prod", 0, 1), ("production", 2, 0), ("y", 2, 0)])
def test_given_a_person_then_the_name_of_the_environment_must_be_repeated(
    machine, made, run, monkeypatch, typed, code, starts
):
    client = machine(output=DONE)
    made.export()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(click, "get_text_stream", lambda name: Terminal())
    monkeypatch.setattr(click, "prompt", lambda *_, **__: typed)
    assert run("restore", "--to-environment", "prod").code == code
    assert len(client.started) == starts


def test_given_a_restore_that_fails_then_the_reason_and_the_way_on_are_told_and_a_redrive_completes_it(
    machine, made, run
):
    client = machine(status="FAILED")
    client.error, client.cause = "States.TaskFailed", json.dumps({"ErrorMessage": "the content of dag_run differs"})
    made.export()

    result = run("restore", "--to-environment", "prod", "--yes")

    assert result.code == 1
    assert "the content of dag_run differs" in result.out
    assert "Last complete export" not in result.out
    assert "mwaa-metadata-export redrive --restore 20261211T143022Z -e prod" in result.out

    again = run("redrive", "--restore", "20261211T143022Z")
    assert (again.code, client.redriven) == (0, RESTORE_ARN)
    assert "was restored into prod" in again.out


def test_given_a_mistake_in_the_input_then_no_redrive_is_advised_or_made(machine, made, run):
    client = machine(status="FAILED")
    client.error, client.cause = "NotRestorableError", "is INCOMPLETE"
    made.export()
    assert "start a new restore" in run("restore", "--to-environment", "prod", "--yes").out
    result = run("redrive", "--restore")
    assert (result.code, hasattr(client, "redriven")) == (2, False)
    assert "the same input" in result.err


def test_given_ctrl_c_then_the_restore_goes_on_and_can_be_followed_again(machine, made, run, monkeypatch):
    machine(looks=99)
    made.export()

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following.time, "sleep", interrupt)
    result = run("restore", "--to-environment", "prod", "--yes")
    assert result.code == 130
    assert "The restore goes on" in result.err
    assert f"export --execution {RESTORE_ARN}" in result.err


def test_given_json_then_one_document_says_how_it_ended(machine, made, run):
    machine(output=DONE)
    made.export()
    document = run("restore", "--to-environment", "prod", "--yes", "--json").json
    assert (document["outcome"], document["output"]["kept"]) == ("RESTORED", "s3://b/kept")
