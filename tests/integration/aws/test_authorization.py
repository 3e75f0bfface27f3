"""What services do by themselves is evaluated too, as AWS documents it, and every evaluation is recorded."""

import contextlib
import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.aws.authorization import record
from tests.emulated_account import EVERYTHING, Account
from tests.waiting import wait_until

SPEAKING = "def handler(event, context):\n    print('spoken')\n    return 1"
PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}


def allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def in_role(account: Account, role: str, service: str) -> Any:
    """A client of somebody who has assumed a role."""
    keys = account.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    return session.client(service, endpoint_url=account.aws.endpoint, region_name=account.aws.settings.region)


def decided(account: Account, role: str) -> dict[str, bool]:
    """What was recorded of a role: whether each action was allowed."""
    name = role.rsplit("/", 1)[-1]
    found = record.read(account.aws.settings.home)
    return {request.context.action: decision.allowed for request, decision in found if request.role == name}


@pytest.mark.parametrize("action", ["logs:CreateLogStream", "logs:PutLogEvents", None])
def test_given_function_when_its_role_may_not_log_then_it_works_and_leaves_no_log(
    account: Account, action: str
) -> None:
    needed = {"logs:CreateLogStream", "logs:PutLogEvents"} - {action}
    role = account.role("lambda", allow(*needed))
    group = f"/test/{uuid.uuid4().hex}"
    account.client("logs").create_log_group(logGroupName=group)
    function = account.function(SPEAKING, role, LoggingConfig={"LogGroup": group})

    answer = account.client("lambda").invoke(FunctionName=function)

    assert answer["Payload"].read() == b"1"
    streams = account.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert bool(streams) is (action is None)


def test_given_traced_function_when_invoked_then_its_role_is_asked_for_both_actions(account: Account) -> None:
    role = account.role("lambda", allow("xray:PutTraceSegments"))
    function = account.function(SPEAKING, role, TracingConfig={"Mode": "Active"})

    account.client("lambda").invoke(FunctionName=function)

    seen = decided(account, role)
    assert (seen["xray:PutTraceSegments"], seen["xray:PutTelemetryRecords"]) == (True, False)


@pytest.mark.parametrize("allowed", [True, False])
def test_given_machine_with_logging_when_created_then_its_role_decides(account: Account, allowed: bool) -> None:
    role = account.role("states", allow("logs:*" if allowed else "logs:CreateLogDelivery"))
    group = "arn:aws:logs:us-east-1:000000000000:log-group:/test:*"
    logging = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]}
    given = {"name": f"logging-{allowed}", "definition": json.dumps(PASS), "roleArn": role}
    states = account.client("stepfunctions")

    if allowed:
        assert states.create_state_machine(**given, loggingConfiguration=logging)["stateMachineArn"]
    else:
        with pytest.raises(ClientError, match="not authorized to access the Log Destination: logs:GetLogDelivery"):
            states.create_state_machine(**given, loggingConfiguration=logging)


@pytest.mark.parametrize("trusting", ["this alarm", "another alarm"])
def test_given_alarm_when_it_rings_then_the_topics_policy_decides(account: Account, trusting: str) -> None:
    sns, cloudwatch, name = account.client("sns"), account.client("cloudwatch"), f"alarm-{uuid.uuid4().hex[:8]}"
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = account.queue(
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": "*"}
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=account.queue_arn(queue))
    pattern = f"arn:aws:cloudwatch:*:*:alarm:{name if trusting == 'this alarm' else 'another'}"
    statement = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
    statement |= {"Resource": topic, "Condition": {"ArnLike": {"aws:SourceArn": pattern}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    alarm = {"MetricName": "M", "Namespace": "N", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0}
    alarm |= {"ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum", "AlarmActions": [topic]}
    cloudwatch.put_metric_alarm(AlarmName=name, **alarm)

    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")

    sqs = account.client("sqs")
    if trusting == "this alarm":
        [message] = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
        assert name in message["Body"]
    else:
        assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)


@pytest.mark.parametrize(("actions", "code"), [(("s3:GetObject",), "403"), (("s3:GetObject", "s3:ListBucket"), "404")])
def test_given_missing_key_then_only_who_may_list_is_told_so(account: Account, actions: Any, code: str) -> None:
    s3, bucket = in_role(account, account.role("glue", allow(*actions)), "s3"), account.bucket()

    with pytest.raises(ClientError) as refused:
        s3.head_object(Bucket=bucket, Key="missing")
    with pytest.raises(ClientError, match="AccessDenied" if code == "403" else "NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="missing")

    assert refused.value.response["Error"]["Code"] == code


def test_given_request_that_came_over_http_then_a_policy_can_tell(account: Account) -> None:
    s3, bucket = in_role(account, account.role("glue", EVERYTHING), "s3"), account.bucket()
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition}
    account.put_bucket_policy(bucket, denial)
    s3.list_objects_v2(Bucket=bucket)
    s3.meta.events.register("before-send", lambda request, **_: request.headers.update({"x-forwarded-proto": "http"}))

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket=bucket)


def test_given_function_whose_role_asks_for_an_account_then_lambda_cannot_assume_it(account: Account) -> None:
    """Lambda does not say for which account it assumes a role, so such a role would never work."""
    role = account.role("lambda", EVERYTHING)
    condition = {"StringEquals": {"aws:SourceAccount": "000000000000"}}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**trust, "Condition": condition}]})
    account.client("iam").update_assume_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyDocument=document)
    function = account.function(SPEAKING, role)

    answer = account.client("lambda").invoke(FunctionName=function)

    assert answer["FunctionError"]


def test_given_job_with_metrics_when_it_has_run_then_its_role_is_asked_for_the_namespace(account: Account) -> None:
    role = account.role("glue", EVERYTHING)

    account.run_job(account.job("print(1)", role, DefaultArguments={"--enable-metrics": "true"}))

    seen = [r.context for r, _ in record.read(account.aws.settings.home) if r.role == role.rsplit("/", 1)[-1]]
    [asked] = [context for context in seen if context.action == "cloudwatch:PutMetricData"]
    assert asked.service_context["cloudwatch:namespace"] == "Glue"


@pytest.mark.parametrize("source", ["mine", "another"])
def test_given_a_policy_for_one_source_when_an_event_is_put_then_its_source_decides(
    account: Account, source: str
) -> None:
    conditions = {"events:source": "mine", "events:detail-type": "Verdict"}
    role = account.role("lambda", allow("events:PutEvents") | {"Condition": {"StringEquals": conditions}})
    entry = {"Source": source, "DetailType": "Verdict", "Detail": "{}"}
    with contextlib.suppress(ClientError):
        in_role(account, role, "events").put_events(Entries=[entry])

    assert decided(account, role)["events:PutEvents"] is (source == "mine")
