"""The template's rule and Report Failure: what ends an execution without success is tidied up and reaches a person."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from local.aws.injection.client import Faults
from tests.emulated_account import EVERYTHING, Account
from tests.state_machine.conftest import GLUE_PERMISSIONS, PERMISSIONS, Stage, create_machine, default_answers
from tests.state_machine.packages import deploy_function
from tests.unit.template.definitions import template
from tests.waiting import wait_until

ENVIRONMENT = "prod"
ACTIVE = ("STARTING", "RUNNING", "STOPPING")


@dataclass(frozen=True)
class Watch:
    """A machine under the template's rule, and the function that reports its failures."""

    machine: str
    function: str
    bucket: str
    dead_letters: str


@pytest.fixture(scope="module")
def reporter(account: Account, substitutions: dict[str, str]) -> tuple[str, str]:
    """The real function, and the bucket that it knows."""
    bucket = account.bucket()
    variables = {
        "ENVIRONMENT_NAME": ENVIRONMENT,
        "EXPORT_BUCKET": bucket,
        "BASE_PREFIX": "exports",
        "GLUE_JOB_NAME": substitutions["GlueJobName"],
        "GLUE_LOG_GROUP": "/aws-glue/jobs/output",
        "ALERT_TOPIC_ARN": substitutions["AlertTopicArn"],
        "ALARM_AFTER_HOURS": "36",
        "POWERTOOLS_SERVICE_NAME": "report-failure",
        "POWERTOOLS_METRICS_NAMESPACE": "MwaaMetadataExport",
    }
    return deploy_function(account, "report_failure", account.role("lambda", EVERYTHING), variables), bucket


@pytest.fixture
def watched(
    request: pytest.FixtureRequest,
    stage: Stage,
    account: Account,
    substitutions: dict[str, str],
    reporter: tuple[str, str],
) -> Iterator[Watch]:
    """A machine of its own under the template's rule, which lives as long as the test. Parameter: its time-out."""
    seconds = getattr(request, "param", 36000)
    machine = create_machine(account, substitutions, *PERMISSIONS, *GLUE_PERMISSIONS, TimeoutSeconds=seconds)
    rule = template()["Resources"]["FailedExecutionRule"]["Properties"]
    pattern = {**rule["EventPattern"]}
    pattern["detail"] = {**pattern["detail"], "stateMachineArn": [machine]}
    events, name = account.client("events"), f"failed-{time.monotonic_ns()}"
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    queue = account.queue(anybody)
    dead_letters = account.queue_arn(queue)
    target = {"Id": "it", "Arn": reporter[0], "DeadLetterConfig": {"Arn": dead_letters}}
    events.put_targets(Rule=name, Targets=[target])
    allow(account, reporter[0], arn, name)
    keep_failures(account, reporter[0], dead_letters)
    yield Watch(machine, reporter[0], reporter[1], queue)
    events.remove_targets(Rule=name, Ids=["it"])
    events.delete_rule(Name=name)


def allow(account: Account, function: str, rule: str, name: str) -> None:
    """Let the rule invoke the function, as the template's permission does."""
    permission = template()["Resources"]["FailedExecutionPermission"]["Properties"]
    account.client("lambda").add_permission(
        FunctionName=function,
        StatementId=name,
        Action=permission["Action"],
        Principal=permission["Principal"],
        SourceArn=rule,
    )


def keep_failures(account: Account, function: str, queue: str) -> None:
    """Give the function the template's failure destination."""
    declared = template()["Resources"]["ReportFailureFunction"]["Properties"]["EventInvokeConfig"]
    assert declared["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=declared["MaximumRetryAttempts"],
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )


def published(stage: Stage, number: int = 1) -> list[tuple[str | None, str]]:
    """Wait for so many messages; the function is invoked asynchronously."""
    found: list[tuple[str | None, str]] = []
    wait_until(lambda: found.extend(stage.published()) or len(found) >= number)
    return found


def exporting(stage: Stage, watched: Watch) -> tuple[str, str]:
    """Start an execution whose runs and uploads have its real export id, and return ARN and key of an upload."""
    account = stage.account
    bucket = account.bucket()
    with Faults(account.aws.endpoint).held("lambda", "Invoke"):  # until the plan is written, which the start decides
        arn, second = start(account, watched.machine, bucket)
        plan = default_answers(bucket)["plan"]
        plan["export"]["export_id"] = f"{second:%Y%m%dT%H%M%SZ}"
        stage.script(bucket=bucket, job_seconds=600, plan=[{"return": plan}])
    key = f"exports/{ENVIRONMENT}-backups/{second:%Y/%m/%d}/xcom_{second:%H%M%S}.csv.gz"
    account.client("s3").create_multipart_upload(Bucket=watched.bucket, Key=key)
    return arn, key


def start(account: Account, machine: str, bucket: str) -> tuple[str, datetime]:
    """Start an execution, and return its ARN and the second in which it started."""
    states = account.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps({"bucket": bucket}))["executionArn"]
    return arn, states.describe_execution(executionArn=arn)["startDate"].astimezone(UTC).replace(microsecond=0)


def runs_of(account: Account, job: str) -> list[dict[str, Any]]:
    """All runs of the job."""
    return list(account.client("glue").get_job_runs(JobName=job)["JobRuns"])


def test_given_failed_execution_then_the_alert_has_state_error_cause_and_what_to_do(
    stage: Stage, watched: Watch
) -> None:
    answer = {"raise": "InvalidInputError", "message": "field x must be y"}

    export = stage.run(stage.script(plan=[answer]), watched.machine)

    [(subject, message)] = published(stage)
    assert subject == f"{ENVIRONMENT} FAILED: Plan Export (InvalidInputError); none complete yet"
    assert "WHAT FAILED\nPlan Export: InvalidInputError" in message
    assert "WHY\nfield x must be y\n" in message
    assert "choose Redrive" in message
    assert export.arn in message
    assert "COULD NOT BE DONE" not in message


def test_given_group_that_keeps_failing_then_the_alert_names_group_reason_and_log(stage: Stage, watched: Watch) -> None:
    stage.run(stage.script({"runs": 2}), watched.machine)

    (_, first), (subject, message) = published(stage, 2)
    assert first == "runs"
    assert subject == f"{ENVIRONMENT} FAILED: Retry Group (States.TaskFailed); none complete yet"
    assert "Retry Group, table group runs\n" in message
    assert "group runs broke\nLog: https://" in message


def test_given_summary_that_cannot_be_written_then_that_is_alerted(stage: Stage, watched: Watch) -> None:
    text = "Could not write s3://b/export_summary_143022.json.gz (AccessDenied: no). Check that the function's role"
    stage.run(stage.script(aggregate=[{"raise": "AwsCallError", "message": text}]), watched.machine)

    [(subject, message)] = published(stage)
    assert subject == f"{ENVIRONMENT} FAILED: Aggregate Results (AwsCallError); none complete yet"
    assert f"WHAT FAILED\nAggregate Results: AwsCallError\n\nWHY\n{text}" in message


def test_given_aborted_execution_then_runs_are_stopped_uploads_aborted_and_the_alert_says_who(
    stage: Stage, account: Account, substitutions: dict[str, str], watched: Watch
) -> None:
    execution, key = exporting(stage, watched)
    job = substitutions["GlueJobName"]
    wait_until(lambda: any(run["JobRunState"] == "RUNNING" for run in runs_of(account, job)))

    account.client("stepfunctions").stop_execution(executionArn=execution, error="Person", cause="enough")

    [(subject, message)] = published(stage)
    assert account.ended(execution)["status"] == "ABORTED"
    assert all(run["JobRunState"] not in ACTIVE for run in runs_of(account, job))
    assert "Uploads" not in account.client("s3").list_multipart_uploads(Bucket=watched.bucket, Prefix=key)
    assert subject == f"{ENVIRONMENT} ABORTED: somebody stopped it; none complete yet"
    assert "a person (or a script) stopped it" in message
    assert "WHY\nenough\n" in message
    assert "Aborted: 1 unfinished upload" in message


@pytest.mark.parametrize("watched", [8], indirect=True, ids=["8 seconds"])
def test_given_execution_that_takes_too_long_then_it_is_alerted(stage: Stage, watched: Watch) -> None:
    export = stage.run(stage.script(job_seconds=600), watched.machine)

    assert export.described["status"] == "TIMED_OUT"
    [(subject, _)] = published(stage)
    assert subject.startswith(f"{ENVIRONMENT} TIMED_OUT: ")


def test_given_topic_that_refuses_the_alert_then_the_event_is_kept_as_a_dead_letter(
    stage: Stage, account: Account, watched: Watch
) -> None:
    function = account.client("lambda")
    described = function.get_function_configuration(FunctionName=watched.function)
    variables = described["Environment"]["Variables"]
    wrong = {**variables, "ALERT_TOPIC_ARN": f"{variables['ALERT_TOPIC_ARN']}-gone"}
    function.update_function_configuration(FunctionName=watched.function, Environment={"Variables": wrong})
    try:
        export = stage.run(stage.script(plan=[{"raise": "InvalidInputError"}]), watched.machine)
        sqs = account.client("sqs")
        [letter] = wait_until(lambda: sqs.receive_message(QueueUrl=watched.dead_letters).get("Messages"))
    finally:
        function.update_function_configuration(FunctionName=watched.function, Environment={"Variables": variables})

    record = json.loads(letter["Body"])
    assert record["requestPayload"]["detail"]["executionArn"] == export.arn
    assert "-gone" in record["responsePayload"]["errorMessage"]
    assert stage.published() == []


def test_given_complete_export_then_no_alert(stage: Stage, watched: Watch) -> None:
    assert stage.run(stage.script(), watched.machine).described["status"] == "SUCCEEDED"

    time.sleep(1)  # nothing to wait for: the function would have been invoked by now
    assert stage.published() == []
