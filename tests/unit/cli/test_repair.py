"""`publish` and `repair`: what AWS is asked, and what the person reads when it does not work."""

import io
import json
from typing import Any

import pytest

from export_cli import drift
from tests.contract_examples import examples
from tests.unit.cli.environment import client
from tests.unit.cli.made import BUCKET

SCRIPT, WHEELS = f"s3://{BUCKET}/assets/glue/script.py", f"s3://{BUCKET}/assets/glue/wheels.zip"
STACK = "prod-metadata-export"
ADDED = {"Action": "Add", "LogicalResourceId": "ExportJob", "ResourceType": "AWS::Glue::Job"}
SAME = {"Action": "SyncWithActual", "LogicalResourceId": "AlertTopic", "ResourceType": "AWS::SNS::Topic"}


class Function:
    """Publish Assets, as Lambda answers for it."""

    def __init__(self, content: Any, *, failed: bool = False) -> None:
        """Answer this."""
        self.content, self.failed = content, failed

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - AWS' names
        """Answer."""
        assert (FunctionName, json.loads(Payload)) == ("publish-assets", {"RequestType": "Publish"})
        answer = {"Payload": io.BytesIO(json.dumps(self.content).encode())}
        return answer | ({"FunctionError": "Unhandled"} if self.failed else {})


class ChangeSets:
    """CloudFormation's change sets for the one stack; what it is asked is noted."""

    def __init__(self, changes: list[dict[str, str]], reason: str = "", status: str = "UPDATE_COMPLETE") -> None:
        """Find these changes, or fail for a reason; the stack is in this status afterwards."""
        self.changes, self.reason, self.status = changes, reason, status
        self.asked: list[str] = []
        self.request: dict[str, Any] = {}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Return the stack."""
        parameters = [{"ParameterKey": "MwaaEnvironmentName", "ParameterValue": "prod"}]
        outputs = [{"OutputKey": "ExportLocation", "OutputValue": "s3://x/"}]
        status = self.status if "execute" in self.asked else "CREATE_COMPLETE"
        found = {"StackName": StackName, "StackStatus": status, "Parameters": parameters, "Outputs": outputs}
        return {"Stacks": [found]}

    def create_change_set(self, **request: Any) -> None:
        """Note it."""
        self.request = request

    def describe_change_set(self, **_: str) -> dict[str, Any]:
        """Return what it found."""
        return {"Status": "FAILED" if self.reason else "CREATE_COMPLETE", "StatusReason": self.reason}

    def get_paginator(self, _: str) -> "ChangeSets":
        """Return what has pages."""
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """Return a page for each change."""
        return [{"Changes": [{"ResourceChange": change}]} for change in self.changes]

    def execute_change_set(self, **_: str) -> None:
        """Note it."""
        self.asked.append("execute")

    def delete_change_set(self, **_: str) -> None:
        """Note it."""
        self.asked.append("delete")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(drift, "POLL_SECONDS", 0)


def test_given_the_job_names_what_was_published_then_all_is_well(sound, fakes, run):
    fakes["lambda"] = Function({"ScriptUri": SCRIPT, "WheelsUri": WHEELS, "DagUri": ""})
    shown, document = run("publish"), run("publish", "--json")
    assert (shown.code, document.code) == (0, 0)
    assert SCRIPT in shown.out
    assert document.json == {"published": {"script": SCRIPT, "packages": WHEELS}, "job_names_them": True}


@pytest.mark.parametrize("there", [True, False])
def test_given_the_job_names_others_then_it_is_told_and_the_exit_code_is_one(sound, fakes, run, there):
    fakes["lambda"] = Function({"ScriptUri": SCRIPT + "x", "WheelsUri": WHEELS, "DagUri": ""})
    if not there:
        client("glue").delete_job(JobName=STACK)
    result = run("publish")
    assert result.code == 1
    assert (SCRIPT if there else "does not exist") in result.out
    assert "mwaa-metadata-export repair -e prod --yes" in result.out
    shown = run("publish", "--region", "eu-central-1").out
    assert "mwaa-metadata-export repair -e prod --region eu-central-1 --yes" in " ".join(shown.split())


@pytest.mark.parametrize("example", examples("published_assets", "valid"), ids=str)
def test_given_an_answer_of_the_contract_then_it_is_shown_as_the_contract_says(sound, fakes, run, example):
    fakes["lambda"] = Function(example.document)
    assert run("publish", "--json").json["published"] == example.reading


@pytest.mark.parametrize("example", examples("published_assets", "invalid"), ids=str)
def test_given_an_answer_against_the_contract_then_it_is_said_what_is_missing(sound, fakes, run, example):
    fakes["lambda"] = Function(example.document)
    result = run("publish")
    assert (result.code, result.out) == (3, "")
    assert [name for name in example.names if name not in result.err] == []


def test_given_the_function_fails_then_its_reason_is_told(sound, fakes, run):
    fakes["lambda"] = Function({"errorMessage": "lacks script.py", "errorType": "MissingAssetError"}, failed=True)
    result = run("publish")
    assert (result.code, result.out) == (3, "")
    assert "could not publish: lacks script.py" in result.err


def test_given_drift_then_it_is_shown_and_nothing_is_changed(sound, fakes, run):
    fakes["cloudformation"] = ChangeSets([ADDED, SAME])
    result = run("repair", "-e", "prod")
    assert result.code == 1
    assert "ExportJob" in result.out
    assert "AlertTopic" not in result.out
    assert "repeat with --yes" in result.out
    assert fakes["cloudformation"].asked == ["delete"]


def test_given_yes_then_every_parameter_stays_and_the_change_is_carried_out(sound, fakes, run):
    fakes["cloudformation"] = ChangeSets([ADDED])
    result = run("repair", "-e", "prod", "--yes", "--json")
    assert (result.code, result.json["status"]) == (0, "UPDATE_COMPLETE")
    assert fakes["cloudformation"].asked == ["execute"]
    request = fakes["cloudformation"].request
    assert request["DeploymentMode"] == "REVERT_DRIFT"
    assert request["UsePreviousTemplate"] is True
    assert request["Parameters"] == [{"ParameterKey": "MwaaEnvironmentName", "UsePreviousValue": True}]


def test_given_a_change_that_fails_then_the_exit_code_is_one(sound, fakes, run):
    fakes["cloudformation"] = ChangeSets([ADDED], status="UPDATE_ROLLBACK_COMPLETE")
    result = run("repair", "-e", "prod", "--yes")
    assert result.code == 1
    assert "UPDATE_ROLLBACK_COMPLETE" in result.out


@pytest.mark.parametrize("reason", ["", "The submitted information didn't contain changes. Submit different"])
def test_given_no_drift_then_it_says_so_and_leaves_no_change_set(sound, fakes, run, reason):
    fakes["cloudformation"] = ChangeSets([], reason)
    result = run("repair", "-e", "prod")
    assert result.code == 0
    assert "is what its template says" in result.out
    assert fakes["cloudformation"].asked == ["delete"]


def test_given_a_comparison_that_fails_then_its_reason_is_told_and_no_change_set_is_left(sound, fakes, run):
    fakes["cloudformation"] = ChangeSets([], "Template is gone")
    result = run("repair", "-e", "prod", "--yes")
    assert result.code == 3
    assert "cannot be compared with what is there: Template is gone" in result.err
    assert fakes["cloudformation"].asked == ["delete"]
