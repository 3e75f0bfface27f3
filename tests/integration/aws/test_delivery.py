"""EventBridge and Scheduler deliver what policy and role allow; the rest is a dead letter."""

import json
import time
from typing import Any

import pytest

from tests.emulated_account import EVERYTHING, Account
from tests.waiting import wait_until

PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
ANYBODY = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}


def test_given_failed_execution_when_rule_matches_then_the_topic_gets_the_transformed_event(account: Account) -> None:
    machine = account.machine({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Odd", "Cause": "because"}}})
    topic, queue = _topic_with_queue(account)
    rule = _rule(account, machine, topic)
    _let_events_publish(account, topic, rule)

    account.execute(machine)

    [message] = _received(account, queue)
    assert message == '"FAILED: Odd, because"'


def test_given_topic_policy_that_does_not_allow_it_when_rule_matches_then_dead_letter(account: Account) -> None:
    machine = account.machine({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Odd"}}})
    topic, queue = _topic_with_queue(account)
    dead_letters = account.queue(ANYBODY)
    rule = _rule(account, machine, topic, DeadLetterConfig={"Arn": account.queue_arn(dead_letters)})
    _let_events_publish(account, topic, f"{rule}-of-somebody-else")

    account.execute(machine)

    sqs, everything = account.client("sqs"), {"MessageAttributeNames": ["All"]}
    letters = wait_until(lambda: sqs.receive_message(QueueUrl=dead_letters, **everything).get("Messages"))
    assert [letter["MessageAttributes"]["RULE_ARN"]["StringValue"] for letter in letters] == [rule]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


@pytest.mark.parametrize("allowed", [True, False])
def test_given_schedule_when_due_then_its_role_decides(account: Account, allowed: bool) -> None:
    machine = account.machine(PASS)
    dead_letters = account.queue()
    permission = {**EVERYTHING, "Action": "*" if allowed else "sqs:*"}
    at = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1))
    target = {
        "Arn": machine,
        "RoleArn": account.role("scheduler", permission),
        "Input": '{"trigger": "schedule"}',
        "DeadLetterConfig": {"Arn": account.queue_arn(dead_letters)},
    }
    name = f"due-{allowed}"
    account.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=at, FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )

    states, sqs = account.client("stepfunctions"), account.client("sqs")
    if allowed:
        [found] = wait_until(lambda: states.list_executions(stateMachineArn=machine)["executions"])
        assert states.describe_execution(executionArn=found["executionArn"])["input"] == '{"trigger": "schedule"}'
    else:
        [letter] = wait_until(lambda: sqs.receive_message(QueueUrl=dead_letters, WaitTimeSeconds=1).get("Messages"))
        assert letter["Body"] == '{"trigger": "schedule"}'
        assert states.list_executions(stateMachineArn=machine)["executions"] == []


@pytest.mark.parametrize(("ahead", "fires"), [(14, True), (15, False)], ids=["now", "in an hour"])
def test_given_schedule_of_a_zone_then_its_expression_is_of_that_zone(
    account: Account, ahead: int, fires: bool
) -> None:
    # GIVEN what clocks show in Kiritimati, 14 hours ahead of UTC, now or in an hour
    machine = account.machine(PASS)
    moment = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() - 1 + ahead * 3600))
    target = {"Arn": machine, "RoleArn": account.role("scheduler", EVERYTHING), "Input": "{}"}
    account.client("scheduler").create_schedule(
        Name=f"zone-{ahead}",
        ScheduleExpression=moment,
        ScheduleExpressionTimezone="Pacific/Kiritimati",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )

    def started() -> list[Any]:
        return list(account.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"])

    if fires:
        assert len(wait_until(started)) == 1
    else:
        time.sleep(4)
        assert started() == []


BROKEN = "def handler(event, context):\n    raise KeyError(event['detail']['status'])"


@pytest.mark.parametrize("allowed", [True, False], ids=["this rule", "another rule"])
def test_given_function_when_rule_matches_then_its_policy_decides(account: Account, allowed: bool) -> None:
    """What the function cannot handle is kept by Lambda, what it is never asked is kept by EventBridge."""
    machine = account.machine({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Odd"}}})
    function, undelivered, unhandled = account.function(BROKEN), account.queue(ANYBODY), account.queue()
    rule = _rule(account, machine, function, DeadLetterConfig={"Arn": account.queue_arn(undelivered)})
    _let_rule_invoke(account, function, rule if allowed else f"{rule}-of-somebody-else")
    destination = {"OnFailure": {"Destination": account.queue_arn(unhandled)}}
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=1, DestinationConfig=destination
    )

    account.execute(machine)

    kept, empty = (unhandled, undelivered) if allowed else (undelivered, unhandled)
    sqs = account.client("sqs")
    [letter] = wait_until(lambda: sqs.receive_message(QueueUrl=kept).get("Messages"))
    assert ('"FAILED"' in letter["Body"], "KeyError" in letter["Body"]) == (True, allowed)
    assert "Messages" not in sqs.receive_message(QueueUrl=empty)


def test_given_role_that_may_not_write_to_the_failure_destination_then_nothing_is_kept(account: Account) -> None:
    machine = account.machine({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Odd"}}})
    unhandled, asked = account.queue(), account.bucket()
    code = f"import boto3\ndef handler(*_):\n    boto3.client('s3').put_object(Bucket='{asked}', Key='x')\n    1 / 0"
    role = account.role("lambda", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    function = account.function(code, role)
    _let_rule_invoke(account, function, _rule(account, machine, function))
    destination = {"OnFailure": {"Destination": account.queue_arn(unhandled)}}
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0, DestinationConfig=destination
    )

    account.execute(machine)

    wait_until(lambda: account.client("s3").list_objects_v2(Bucket=asked)["KeyCount"])
    assert "Messages" not in account.client("sqs").receive_message(QueueUrl=unhandled, WaitTimeSeconds=2)


def _let_rule_invoke(account: Account, function: str, rule: str) -> None:
    account.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )


def _topic_with_queue(account: Account) -> tuple[str, str]:
    sns = account.client("sns")
    topic = sns.create_topic(Name=f"topic-{time.monotonic_ns()}")["TopicArn"]
    queue = account.queue({**ANYBODY, "Principal": {"Service": "sns.amazonaws.com"}})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=account.queue_arn(queue))
    return topic, queue


def _rule(account: Account, machine: str, arn_of_target: str, **target: Any) -> str:
    events, name = account.client("events"), f"rule-{time.monotonic_ns()}"
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine], "status": ["FAILED"]}}
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    paths = {"status": "$.detail.status", "error": "$.detail.error", "cause": "$.detail.cause"}
    transformer = {"InputPathsMap": paths, "InputTemplate": '"<status>: <error>, <cause>"'}
    shaped = {"InputTransformer": transformer} if ":sns:" in arn_of_target else {}
    events.put_targets(Rule=name, Targets=[{"Id": "it", "Arn": arn_of_target, **shaped, **target}])
    return str(arn)


def _let_events_publish(account: Account, topic: str, rule: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def _received(account: Account, queue: str) -> list[str]:
    sqs = account.client("sqs")
    messages = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "a message")
    return [json.loads(message["Body"])["Message"] for message in messages]
