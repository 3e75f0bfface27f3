"""Entry point of Report Failure."""

import json
import re

import pytest
from export_runtime import clients
from export_runtime.console import execution_url
from export_runtime.errors import AwsCallError, ConfigurationError, InvalidEventError
from report_failure import handler as entry
from report_failure.glue_runs import GlueRuns

from tests.contract_examples import base
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.report_failure.cases import EXPORT_ID, event


@pytest.fixture
def inbox(s3, monkeypatch):
    """Set what the template sets, and give a function that returns what was published."""
    sns, sqs = clients.sns(), clients.boto3.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    variables = {
        "ENVIRONMENT_NAME": "prod",
        "EXPORT_BUCKET": BUCKET,
        "BASE_PREFIX": "exports",
        "ALARM_AFTER_HOURS": "36",
    }
    for name, value in {**variables, "GLUE_JOB_NAME": "prod-metadata-export", "ALERT_TOPIC_ARN": topic}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(GlueRuns, "_active", lambda self, execution: [])  # moto pages no job runs

    def received() -> list[dict]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    return received


def test_given_a_failed_execution_then_one_alert_is_published(inbox, context):
    entry.handler(event(), context)
    [published] = inbox()
    assert published["Subject"] == "prod FAILED: ExportIncompleteError; none complete yet"
    assert "group runs has no manifest" in published["Message"]


def test_given_the_same_event_twice_then_the_second_does_no_harm(inbox, s3, context):
    s3.create_multipart_upload(Bucket=BUCKET, Key="exports/prod-backups/2026/12/11/xcom_143022.csv.gz")
    entry.handler(event(), context)
    entry.handler(event(), context)
    first, second = inbox()
    assert first["Subject"] == second["Subject"]
    assert "Aborted: 1 unfinished upload" in first["Message"] + second["Message"]


def test_given_an_alert_then_log_and_metric_name_export_and_environment(inbox, context, log_lines, capsys):
    lines = log_lines(entry.logger)
    entry.handler(event(), context)
    assert {line["export_id"] for line in lines()} == {EXPORT_ID}
    metric = json.loads(capsys.readouterr().out)
    assert (metric["ExecutionsFailed"], metric["environment"]) == ([1.0], "prod")


def test_given_sns_refuses_then_the_function_fails_so_that_lambda_tries_again_and_keeps_the_event(
    inbox, context, monkeypatch
):
    monkeypatch.setenv("ALERT_TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:no-such-topic")
    with pytest.raises(AwsCallError, match="no-such-topic"):
        entry.handler(event(), context)


def test_given_a_restore_then_people_are_told_what_the_database_is_and_nothing_else_is_done(
    inbox, context, monkeypatch
):
    monkeypatch.setattr(clients, "glue", lambda: pytest.fail("a client of Glue was asked for"))
    arn = event()["detail"]["executionArn"].replace("metadata-export", "db-restore")
    cause = '{"ErrorMessage": "the content of dag_run is not what was exported - nothing was changed in the target"}'

    entry.handler(event(executionArn=arn, error="States.TaskFailed", cause=cause), context)

    [published] = inbox()
    message = published["Message"]
    assert published["Subject"].startswith("prod restore FAILED")
    assert "The restore into MWAA environment prod FAILED." in message
    assert "WHY\nthe content of dag_run is not what was exported" in message
    assert "is as it was, unless the reason below says otherwise" in message
    assert message.endswith(f"Execution: {execution_url(arn)}")
    assert re.search(r"left its report: s3://\S+/prod-backups/_restores/\d{8}T\d{6}Z/report\.json\n", message)


@pytest.mark.parametrize(
    ("bucket", "error", "told", "to_do"),
    [
        (BUCKET, "SNS.AuthorizationErrorException", "What the export was: it was committed", "Nothing has to be"),
        ("no-such-bucket", "States.Timeout", "has left its report: s3://no-such-bucket/", "It asks the database first"),
        ("no-such-bucket", "InvalidRestoreInputError", "is as it was", "a redrive would have the same one"),
        (BUCKET, "NoSuchExportError", "is as it was", "a redrive would have the same one"),
    ],
)
def test_given_a_restore_that_failed_late_or_by_its_input_then_nobody_is_told_what_is_not_so(
    inbox, context, s3, monkeypatch, bucket, error, told, to_do
):
    report = f"exports/prod-backups/_restores/{EXPORT_ID}/report.json"
    s3.put_object(Bucket=BUCKET, Key=report, Body=b"{}")
    monkeypatch.setenv("EXPORT_BUCKET", bucket)
    arn = event()["detail"]["executionArn"].replace("metadata-export", "db-restore")

    entry.handler(event(executionArn=arn, error=error, cause="refused"), context)

    [published] = inbox()
    assert told in published["Message"]
    assert to_do in published["Message"]
    assert report in published["Message"]


def test_given_a_restore_that_began_in_the_second_of_another_then_nothing_of_the_other_is_told_as_its_own(
    inbox, context, s3
):
    s3.put_object(Bucket=BUCKET, Key=f"exports/prod-backups/_restores/{EXPORT_ID}/report.json", Body=b"{}")
    arn = event()["detail"]["executionArn"].replace("metadata-export", "db-restore")

    entry.handler(event(executionArn=arn, error="SameSecondError", cause="Another restore began"), context)

    [published] = inbox()
    assert "This execution has changed nothing." in published["Message"]
    assert "start a new one: a redrive would have the same name" in published["Message"]
    assert "report" not in published["Message"]


@pytest.mark.parametrize("error", ["States.Timeout", "States.TaskFailed", "Glue.AWSGlueException"])
def test_given_a_restore_and_s3_does_not_say_how_far_it_came_then_nothing_is_claimed_of_the_database(
    inbox, context, monkeypatch, error
):
    monkeypatch.setenv("EXPORT_BUCKET", "no-such-bucket")
    arn = event()["detail"]["executionArn"].replace("metadata-export", "db-restore")

    entry.handler(event(executionArn=arn, error=error, cause="exit code 137"), context)

    [published] = inbox()
    assert "As it was, or what the export was, nothing between: S3 could not be asked which." in published["Message"]
    assert "what was committed is not restored again" in published["Message"]
    assert "is as it was, unless" not in published["Message"]


DRILL = event()["detail"]["executionArn"].replace("metadata-export", "db-drill")


def test_given_an_export_that_does_not_restore_then_people_are_told_what_is_wrong_and_which_one_is_proven(
    inbox, context, s3, monkeypatch
):
    monkeypatch.setattr(clients, "glue", lambda: pytest.fail("a client of Glue was asked for"))
    proof = {**base("proof"), "export_id": "20261204T143022Z"}
    key = "exports/prod-backups/_proofs/20261204T143022Z.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(proof).encode())
    said = (
        "The export 20261211T143022Z is NOT restorable: the table log has 5 rows, the export recorded 6. Proof: s3://b"
    )
    cause = json.dumps({"errorType": "ExportNotRestorableError", "errorMessage": said})

    entry.handler(event(executionArn=DRILL, error="ExportNotRestorableError", cause=cause), context)

    [published] = inbox()
    message = published["Message"]
    assert published["Subject"].startswith("prod does NOT restore: The export 20261211T143022Z is NOT restorable")
    assert message.startswith("The newest export of MWAA environment prod does NOT restore.\n")
    assert f"WHY\n{said}" in message
    assert "The newest export that is proven to restore: 20261204T143022Z, on 2026-12-13\n" in message
    assert "  mwaa-metadata-export export -e prod --region eu-central-1\n" in message
    assert "prod-db-drill" in message
    assert message.endswith(f"\nExecution: {execution_url(DRILL)}")


@pytest.mark.parametrize(
    ("status", "bucket", "verdict", "proven"),
    [
        ("FAILED", BUCKET, "FAILED", "there is none"),
        ("ABORTED", BUCKET, "was ABORTED", "there is none"),
        ("TIMED_OUT", "no-such-bucket", "TIMED_OUT: it took too long", "not known, "),
    ],
)
def test_given_a_drill_that_could_not_be_made_then_nothing_is_said_of_the_export(
    inbox, context, monkeypatch, status, bucket, verdict, proven
):
    monkeypatch.setenv("EXPORT_BUCKET", bucket)
    cause = '{"ErrorMessage": "The scratch PostgreSQL does not start: no space"}'

    entry.handler(event(executionArn=DRILL, status=status, error="States.TaskFailed", cause=cause), context)

    [published] = inbox()
    assert published["Subject"].startswith(f"prod drill {status}: The scratch PostgreSQL does not start")
    assert f"The drill of MWAA environment prod {verdict}" in published["Message"]
    assert "Nothing is known of the newest export" in published["Message"]
    assert f"proven to restore: {proven}" in published["Message"]
    assert "redrive the execution" in published["Message"]


def test_given_a_restore_that_ended_while_it_was_committed_then_the_alert_does_not_say_what_it_cannot_know(
    inbox, context, s3
):
    marker = f"exports/prod-backups/_restores/{EXPORT_ID}/committing.json"
    s3.put_object(Bucket=BUCKET, Key=marker, Body=b"{}")
    arn = event()["detail"]["executionArn"].replace("metadata-export", "db-restore")

    entry.handler(event(executionArn=arn, error="States.TaskFailed", cause="exit code 137"), context)

    [published] = inbox()
    assert "As it was, or what the export was, nothing between" in published["Message"]
    assert "pg_xact_status" in published["Message"]
    assert f"s3://{BUCKET}/{marker}\n" in published["Message"]
    assert "It asks the database first what became of the\ncommit" in published["Message"]
    assert "is as it was, unless" not in published["Message"]


def test_given_something_else_than_a_failed_execution_then_it_is_refused(inbox, context):
    with pytest.raises(InvalidEventError):
        entry.handler(event(status="SUCCEEDED"), context)
    assert inbox() == []


def test_given_a_missing_variable_then_the_error_names_it(inbox, context, monkeypatch):
    monkeypatch.delenv("GLUE_JOB_NAME")
    with pytest.raises(ConfigurationError, match="GLUE_JOB_NAME"):
        entry.handler(event(), context)
