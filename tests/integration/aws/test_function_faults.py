"""Faults of functions, and of what events call, are what the real thing shows its callers."""

import pytest

from local.aws.injection.client import Faults
from tests.emulated_account import Account
from tests.integration.aws.conftest import code_of, once
from tests.waiting import wait_until

ECHO = "def handler(event, context):\n    return event\n"


@pytest.mark.parametrize("kind", ["throws", "times out"])
def test_given_failing_function_when_executed_then_the_machine_sees_its_error(
    account: Account, faults: Faults, kind: str
) -> None:
    function = account.function(ECHO)
    name = function.rpartition(":")[2]
    if kind == "throws":
        faults.throw(name, "OddError", "an odd reason")
    else:
        faults.time_out(name)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": {}},
        "End": True,
    }
    machine = account.machine({"StartAt": "Call", "States": {"Call": task}})

    failed, well = account.execute(machine), account.execute(machine)

    assert failed["error"] == ("OddError" if kind == "throws" else "Sandbox.Timedout")
    assert ("an odd reason" if kind == "throws" else "Task timed out after") in failed["cause"]
    assert well["status"] == "SUCCEEDED"


def test_given_throttled_function_when_invoked_then_too_many_requests(account: Account, faults: Faults) -> None:
    function = account.function(ECHO)
    faults.refuse("lambda", "Invoke", "TooManyRequestsException", 429, resource=function.rpartition(":")[2])
    client = once(account, "lambda")

    assert code_of(lambda: client.invoke(FunctionName=function, Payload=b"{}")) == "TooManyRequestsException"
    assert code_of(lambda: client.invoke(FunctionName=function, Payload=b"{}")) == ""


@pytest.mark.parametrize(("refusals", "arrives"), [(2, True), (3, False)])
def test_given_throttled_function_when_a_rule_invokes_it_then_it_is_tried_as_often_as_the_target_says(
    account: Account, faults: Faults, refusals: int, arrives: bool
) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    events, sqs, letters = account.client("events"), account.client("sqs"), account.queue(everybody)
    function = account.function(ECHO)
    name = f"busy-{refusals}"
    rule = events.put_rule(Name=name, EventPattern=f'{{"source": ["{name}"]}}')["RuleArn"]
    permission = {"StatementId": name, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    account.client("lambda").add_permission(FunctionName=function, SourceArn=rule, **permission)
    target = {"Id": "function", "Arn": function, "RetryPolicy": {"MaximumRetryAttempts": 2}}
    events.put_targets(Rule=name, Targets=[{**target, "DeadLetterConfig": {"Arn": account.queue_arn(letters)}}])
    fault = faults.refuse("lambda", "Invoke", "TooManyRequestsException", 429, resource=function, times=refusals)

    events.put_events(Entries=[{"Source": name, "DetailType": "odd", "Detail": "{}"}])

    assert wait_until(lambda: fault.hits == refusals)
    if arrives:
        assert "Messages" not in sqs.receive_message(QueueUrl=letters)
    else:
        assert len(wait_until(lambda: sqs.receive_message(QueueUrl=letters).get("Messages"))) == 1
    events.remove_targets(Rule=name, Ids=["function"])
    events.delete_rule(Name=name)


def test_given_topic_that_refuses_when_a_rule_publishes_then_it_is_a_dead_letter(
    account: Account, faults: Faults
) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    events, letters = account.client("events"), account.queue(everybody)
    topic = account.client("sns").create_topic(Name="refusing-events")["TopicArn"]
    events.put_rule(Name="odd", EventPattern='{"source": ["odd"]}')
    dead = {"Arn": account.queue_arn(letters)}
    events.put_targets(Rule="odd", Targets=[{"Id": "topic", "Arn": topic, "DeadLetterConfig": dead}])
    faults.refuse("sns", "Publish", "InternalError", 500, resource="refusing-events")

    events.put_events(Entries=[{"Source": "odd", "DetailType": "odd", "Detail": '{"odd": 1}'}])

    sqs = account.client("sqs")
    assert wait_until(lambda: sqs.receive_message(QueueUrl=letters).get("Messages"))
    events.remove_targets(Rule="odd", Ids=["topic"])
    events.delete_rule(Name="odd")
