"""The flow of a restore: the target is exported first, and a redrive goes on where it failed."""

import json
from typing import Any

import pytest

from tests.emulated_account import EVERYTHING, Account
from tests.state_machine.conftest import GLUE_PERMISSIONS, PERMISSIONS, Stage, create_machine

EVENTS = ("events:PutTargets", "events:PutRule", "events:DescribeRule")
NESTED = ("states:StartExecution", "states:DescribeExecution", "states:StopExecution", *EVENTS)
ALL = (*PERMISSIONS, *GLUE_PERMISSIONS, *NESTED)
ANSWER = 'import json, os\n\ndef handler(event, context):\n    return json.loads(os.environ["ANSWER"])\n'
# Fails while there is an object that says so; keeps its arguments.
JOB = """
import botocore.session, json, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
s3, bucket = botocore.session.get_session().create_client("s3"), arguments["--RESTORE_PLAN"].split("/")[2]
keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
if "failing" in keys:
    raise RuntimeError("the content of dag_run is not what was exported - nothing was changed in the target")
s3.put_object(Bucket=bucket, Key="arguments.json", Body=json.dumps(arguments))
"""
OPTIONS = {"paused": True, "unfinished": "fail", "without_orphans": False, "old_fernet_key": None}


class Restores:
    """The machine, with what it calls."""

    def __init__(self, account: Account, topic: str) -> None:
        self.account, self.bucket = account, account.bucket()
        self._role = account.role("lambda", EVERYTHING)
        self._topic, self._job = topic, account.job(JOB)
        self.plan = {
            "restore_id": "20261212T090001Z", "environment": "prod", "export_id": "20261211T143022Z", "source": "old",
            "summary_uri": "s3://b/s", "plan_uri": f"s3://{self.bucket}/plan.json", "report_uri": "s3://b/report.json",
            "tables": 61, "rows": 4200, "options": OPTIONS,
        }  # fmt: skip

    def run(self, kept: dict[str, Any], *permissions: str) -> dict[str, Any]:
        """Execute it, where the export of the target ends in this output."""
        export = self.account.machine({"StartAt": "End", "States": {"End": {"Type": "Succeed", "Output": kept}}})
        if kept.get("status") == "FAILED":
            export = self.account.machine({"StartAt": "End", "States": {"End": {"Type": "Fail", "Error": "Broke"}}})
        machine = create_machine(
            self.account,
            {
                "Partition": "aws",
                "PlanRestoreFunctionArn": self._answering(self.plan),
                "PrepareConnectionFunctionArn": self._answering({"connection_name": "c"}),
                "ExportStateMachineArn": export,
                "RestoreJobName": self._job,
                "AlertTopicArn": self._topic,
            },
            *(permissions or ALL),
            definition="restore",
        )
        return self.account.execute(machine, {"confirm": "prod"})

    def states(self, arn: str) -> list[str]:
        """The states as they were entered."""
        events = self.account.history(arn)
        return [each["stateEnteredEventDetails"]["name"] for each in events if "stateEnteredEventDetails" in each]

    def _answering(self, answer: dict[str, Any]) -> str:
        variables = {"Variables": {"ANSWER": json.dumps(answer)}}
        return self.account.function(ANSWER, self._role, Environment=variables)


KEPT = {"status": "COMPLETE", "summary_uri": "s3://b/kept"}


@pytest.fixture
def restores(account: Account, stage: Stage) -> Restores:
    return Restores(account, stage.topic)


def test_given_all_is_well_then_the_target_is_exported_restored_and_people_are_told(
    restores: Restores, stage: Stage
) -> None:
    ended = restores.run(KEPT)

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["kept"] == "s3://b/kept"
    given = json.load(restores.account.client("s3").get_object(Bucket=restores.bucket, Key="arguments.json")["Body"])
    assert given["--RESTORE_PLAN"] == restores.plan["plan_uri"]
    assert json.loads(given["--RESTORE_OPTIONS"]) == OPTIONS
    [(subject, message)] = stage.published()
    assert subject == "MWAA restored: prod"
    assert message.startswith(
        "The export 20261211T143022Z of old (61 tables, 4200 rows) was restored into the metadata database of prod. "
        "What was loaded was read back and compared before it was committed. The report says what was left out, "
    )
    assert "What was there before: s3://b/kept" in message


def test_given_the_export_of_the_target_fails_then_nothing_is_restored(restores: Restores) -> None:
    ended = restores.run({"status": "FAILED"})

    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert restores.states(ended["executionArn"])[-1] == "Export Target First"


def test_given_a_restore_that_failed_when_redriven_then_it_goes_on_with_it_and_exports_nothing_again(
    restores: Restores,
) -> None:
    s3 = restores.account.client("s3")
    s3.put_object(Bucket=restores.bucket, Key="failing", Body=b"")
    ended = restores.run(KEPT)
    assert (ended["status"], "nothing was changed in the target" in ended["cause"]) == ("FAILED", True)

    s3.delete_object(Bucket=restores.bucket, Key="failing")
    restores.account.client("stepfunctions").redrive_execution(executionArn=ended["executionArn"])

    assert restores.account.ended(ended["executionArn"])["status"] == "SUCCEEDED"
    assert restores.states(ended["executionArn"]).count("Export Target First") == 1


def test_given_a_role_that_may_not_hear_of_the_export_then_nothing_is_restored(restores: Restores) -> None:
    ended = restores.run(KEPT, *(set(ALL) - {"events:PutRule"}))

    assert (ended["status"], "may not events:PutRule" in ended["cause"]) == ("FAILED", True)
