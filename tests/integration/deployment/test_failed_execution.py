"""A failed execution of the deployed stack: reported and tidied up with nothing but the template's own roles."""

import json
from datetime import UTC
from typing import Any

import pytest

from local.observe import received_alerts
from local.pipeline import ALERT_QUEUE, subscribe_queue
from tests.integration.deployment.conftest import ENVIRONMENT, STACK, Deployed
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def inbox(deployed: Deployed) -> str:
    """A queue that gets what the topic gets."""
    return subscribe_queue(deployed.aws, deployed.resource("AlertTopic"), ALERT_QUEUE)


@pytest.fixture(scope="module")
def failed(deployed: Deployed, inbox: str) -> tuple[dict[str, Any], dict[str, str]]:
    """An execution with an input that is not allowed, and the one alert that it caused."""
    states = deployed.client("stepfunctions")
    given = json.dumps({"max_age_in_days": "no such; age"})
    arn = states.start_execution(stateMachineArn=deployed.resource("ExportStateMachine"), input=given)["executionArn"]
    wait_until(lambda: states.describe_execution(executionArn=arn)["status"] == "FAILED")
    found: list[dict[str, str]] = []
    wait_until(lambda: found.extend(received_alerts(deployed.client("sqs"), inbox)) or found)
    [alert] = found
    return states.describe_execution(executionArn=arn), alert


def test_given_a_failed_execution_then_the_rule_the_function_and_the_key_let_one_alert_through(failed: Any) -> None:
    execution, alert = failed
    assert alert["subject"].startswith(f"{ENVIRONMENT} FAILED: its input is not valid; ")
    assert "no such; age" in alert["message"]
    assert execution["executionArn"] in alert["message"]
    assert "COULD NOT BE DONE" not in alert["message"]


def test_given_unfinished_uploads_then_the_functions_role_may_abort_exactly_these(
    deployed: Deployed, inbox: str, failed: Any
) -> None:
    execution, s3, bucket = failed[0], deployed.client("s3"), deployed.resource("ExportBucket")
    started = execution["startDate"].astimezone(UTC)
    day = f"exports/{ENVIRONMENT}-backups/{started:%Y/%m/%d}"
    mine, other = f"{day}/xcom_{started:%H%M%S}.csv.gz", f"{day}/xcom_999999.csv.gz"
    for key in (mine, other):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    detail = {
        "executionArn": execution["executionArn"],
        "status": "FAILED",
        "startDate": int(started.timestamp() * 1000),
        "error": "States.TaskFailed",
        "cause": "x",
    }

    deployed.call("ReportFailureFunction", {"detail": detail})

    assert [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [other]
    [alert] = received_alerts(deployed.client("sqs"), inbox)
    assert "Aborted: 1 unfinished upload" in alert["message"]
    assert "COULD NOT BE DONE" not in alert["message"]


def test_given_the_stack_then_alarms_and_dashboard_are_there(deployed: Deployed) -> None:
    cloudwatch = deployed.client("cloudwatch")
    alarms = {alarm["AlarmName"]: alarm for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert alarms.keys() == {f"{STACK}-no-complete-export", f"{STACK}-undelivered", f"{STACK}-unproven"}
    assert alarms[f"{STACK}-no-complete-export"]["EvaluationPeriods"] == 36
    body = cloudwatch.get_dashboard(DashboardName=STACK)["DashboardBody"]
    assert len(json.loads(body)["widgets"]) == 10
