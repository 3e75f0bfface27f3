"""The flow of a drill: what is chosen is tried, and a bad outcome ends it without success."""

import json
from typing import Any

import pytest

from tests.emulated_account import EVERYTHING, Account
from tests.state_machine.conftest import GLUE_PERMISSIONS, create_machine

ALL = ("lambda:InvokeFunction", *GLUE_PERMISSIONS)
FUNCTION = """
import json, os

class ExportNotRestorableError(Exception):
    pass

def handler(event, context):
    if event == {"step": "choose"}:
        return json.loads(os.environ["CHOSEN"])
    assert event == {"step": "conclude", "export_id": "20261211T143022Z"}, event
    if os.environ["PROBLEM"]:
        raise ExportNotRestorableError(os.environ["PROBLEM"])
    return {"restorable": True}
"""
# Fails while there is an object that says so; keeps its arguments.
JOB = """
import botocore.session, json, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
s3, bucket = botocore.session.get_session().create_client("s3"), arguments["--DRILL_PLAN"].split("/")[2]
keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
if "failing" in keys:
    raise RuntimeError("The scratch PostgreSQL does not start")
s3.put_object(Bucket=bucket, Key="arguments.json", Body=json.dumps(arguments))
"""


class Drills:
    """The machine, with what it calls."""

    def __init__(self, account: Account) -> None:
        self.account, self.bucket, self._job = account, account.bucket(), account.job(JOB)
        uris = {f"{name}_uri": f"s3://{self.bucket}/{name}.json" for name in ("plan", "proof")}
        self.chosen = {"found": True, "export_id": "20261211T143022Z", **uris}

    def run(self, problem: str = "") -> dict[str, Any]:
        """Execute it, where the proof names this problem."""
        variables = {"CHOSEN": json.dumps(self.chosen), "PROBLEM": problem}
        role = self.account.role("lambda", EVERYTHING)
        substitutions = {
            "Partition": "aws",
            "ConductDrillFunctionArn": self.account.function(FUNCTION, role, Environment={"Variables": variables}),
            "DrillJobName": self._job,
        }
        return self.account.execute(create_machine(self.account, substitutions, *ALL, definition="drill"), {})

    def states(self, arn: str) -> list[str]:
        """The states as they were entered."""
        events = self.account.history(arn)
        return [each["stateEnteredEventDetails"]["name"] for each in events if "stateEnteredEventDetails" in each]


@pytest.fixture
def drills(account: Account) -> Drills:
    return Drills(account)


def test_given_an_export_that_restores_then_the_job_is_told_what_to_try_and_the_output_is_the_proof(
    drills: Drills,
) -> None:
    ended = drills.run()

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"]) == {"restorable": True}
    given = json.load(drills.account.client("s3").get_object(Bucket=drills.bucket, Key="arguments.json")["Body"])
    assert given["--DRILL_PLAN"] == drills.chosen["plan_uri"]
    assert given["--DRILL_PROOF"] == drills.chosen["proof_uri"]


def test_given_an_export_that_does_not_restore_then_the_execution_fails_and_names_it(drills: Drills) -> None:
    ended = drills.run("the table log is not there")

    assert (ended["status"], ended["error"]) == ("FAILED", "ExportNotRestorableError")
    assert "the table log is not there" in ended["cause"]


def test_given_no_export_then_nothing_is_tried(drills: Drills) -> None:
    drills.chosen = {"found": False, "export_id": "", "plan_uri": "", "proof_uri": ""}
    ended = drills.run()

    assert ended["status"] == "SUCCEEDED"
    assert drills.states(ended["executionArn"])[-1] == "Nothing To Try"


def test_given_a_trial_that_could_not_be_made_when_redriven_then_it_is_made(drills: Drills) -> None:
    s3 = drills.account.client("s3")
    s3.put_object(Bucket=drills.bucket, Key="failing", Body=b"")
    ended = drills.run()
    assert (ended["status"], "does not start" in ended["cause"]) == ("FAILED", True)

    s3.delete_object(Bucket=drills.bucket, Key="failing")
    drills.account.client("stepfunctions").redrive_execution(executionArn=ended["executionArn"])

    assert drills.account.ended(ended["executionArn"])["status"] == "SUCCEEDED"
    assert drills.states(ended["executionArn"]).count("Choose Export") == 1
