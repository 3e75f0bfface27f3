"""An execution from start to end: names, time-outs, stop, redrive, history, limits."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulated_account import Account

pytestmark = pytest.mark.on_aws
LONG = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9999, "End": True}}}
PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
# Fails for each name that stands in the bucket's object `failing`; counts its calls in objects.
FLAKY = """
import boto3, json
s3 = boto3.client("s3")
class FlakyError(Exception): pass
def handler(event, context):
    bucket, name = event["bucket"], event["name"]
    s3.put_object(Bucket=bucket, Key=f"calls/{name}/{context.aws_request_id}")
    if name in json.load(s3.get_object(Bucket=bucket, Key="failing")["Body"]):
        raise FlakyError(name)
    return name
"""


@pytest.fixture(scope="session")
def flaky(account: Account) -> str:
    return account.function(FLAKY)


def test_given_running_execution_when_started_again_with_the_same_input_then_it_is_the_same(account: Account) -> None:
    states, machine = account.client("stepfunctions"), account.machine(LONG)
    request = {"stateMachineArn": machine, "name": "once", "input": '{"a": 1}'}

    first, second = states.start_execution(**request), states.start_execution(**request)

    assert first["executionArn"] == second["executionArn"]
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(**{**request, "input": '{"a": 2}'})
    states.stop_execution(executionArn=first["executionArn"])


def test_given_ended_execution_when_started_again_then_refused(account: Account) -> None:
    machine = account.machine(PASS)
    account.execute(machine, name="closed")

    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        account.execute(machine, name="closed")


@pytest.mark.parametrize("name", ["a:b", "a b", "a" * 81, "a/b"])
def test_given_invalid_name_when_started_then_refused(account: Account, name: str) -> None:
    with pytest.raises(ClientError, match="InvalidName"):
        account.execute(account.machine(PASS), name=name)


@pytest.mark.parametrize(
    "mistake",
    [
        {"StartAt": "No", "States": {"Yes": {"Type": "Succeed"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "No"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}, "Unreachable": {"Type": "Succeed"}}},
    ],
    ids=["start", "next", "unreachable"],
)
def test_given_definition_with_a_mistake_when_created_then_refused(account: Account, mistake: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidDefinition"):
        account.machine(mistake)


def test_given_machine_with_timeout_when_it_takes_longer_then_timed_out(account: Account) -> None:
    ended = account.execute(account.machine({**LONG, "TimeoutSeconds": 5}))

    assert ended["status"] == "TIMED_OUT"
    assert account.history(ended["executionArn"])[-1]["type"] == "ExecutionTimedOut"


def test_given_stopped_execution_then_it_stays_aborted_with_the_reason(account: Account) -> None:
    states, machine = account.client("stepfunctions"), account.machine(LONG)
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]

    states.stop_execution(executionArn=execution, error="Person", cause="enough")

    time.sleep(0.2)
    ended = states.describe_execution(executionArn=execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Person", "enough")


def test_given_too_large_output_when_caught_by_all_then_data_limit_exceeded_nevertheless(account: Account) -> None:
    function = account.function("def handler(event, context):\n    return 'x' * (256 * 1024)\n")
    state = _task(function, {}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}])

    ended = account.execute(account.machine({"StartAt": "Do", "States": {"Do": state, "Caught": {"Type": "Succeed"}}}))

    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_given_catch_when_function_fails_then_error_output_is_seen(account: Account, flaky: str) -> None:
    bucket = _bucket(account, ["a"])
    caught = {"ErrorEquals": ["States.ALL"], "Next": "Caught", "Assign": {"error": "{% $states.errorOutput.Error %}"}}
    state = _task(flaky, {"bucket": bucket, "name": "a"}, Catch=[caught])
    last = {"Type": "Pass", "Output": {"error": "{% $error %}"}, "End": True}

    ended = account.execute(account.machine({"StartAt": "Do", "States": {"Do": state, "Caught": last}}))

    assert json.loads(ended["output"]) == {"error": "FlakyError"}


def test_given_retry_when_function_keeps_failing_then_attempts_are_counted(account: Account, flaky: str) -> None:
    bucket = _bucket(account, ["a"])
    retry = {"ErrorEquals": ["FlakyError"], "IntervalSeconds": 9, "MaxAttempts": 2, "MaxDelaySeconds": 2}
    state = _task(flaky, {"bucket": bucket, "name": "a"}, Retry=[retry])

    ended = account.execute(account.machine({"StartAt": "Do", "States": {"Do": state}}))

    assert ended["error"] == "FlakyError"
    assert _calls(account, bucket) == {"a": 3}


def test_given_variables_assigned_together_when_read_then_each_saw_the_values_before(account: Account) -> None:
    first = {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Swap"}
    swap = {"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Next": "Read"}
    read = {"Type": "Pass", "Output": {"a": "{% $a %}", "b": "{% $b %}"}, "End": True}

    ended = account.execute(
        account.machine({"StartAt": "First", "States": {"First": first, "Swap": swap, "Read": read}})
    )

    assert json.loads(ended["output"]) == {"a": 2, "b": 1}


def test_given_failed_map_when_redriven_then_only_the_failed_iterations_run_again(account: Account, flaky: str) -> None:
    bucket = _bucket(account, ["b"])
    machine = account.machine(_map_then_pass(flaky))
    failed = account.execute(machine, {"bucket": bucket, "names": ["a", "b"]})
    assert (failed["status"], failed["error"], failed["redriveStatus"]) == ("FAILED", "FlakyError", "REDRIVABLE")

    account.client("s3").put_object(Bucket=bucket, Key="failing", Body=b"[]")
    account.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])

    ended = account.ended(failed["executionArn"])
    assert (ended["status"], ended["redriveCount"], ended["startDate"]) == ("SUCCEEDED", 1, failed["startDate"])
    assert json.loads(ended["output"]) == {"names": ["a", "b"], "redrives": 1}
    assert _calls(account, bucket) == {"a": 1, "b": 2}


def test_given_succeeded_execution_when_redriven_then_refused(account: Account) -> None:
    ended = account.execute(account.machine(PASS))

    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        account.client("stepfunctions").redrive_execution(executionArn=ended["executionArn"])


def test_given_caught_failure_when_redriven_then_only_the_last_state_is_repeated(account: Account, flaky: str) -> None:
    bucket = _bucket(account, ["a"])
    state = _task(flaky, {"bucket": bucket, "name": "a"}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Give Up"}])
    machine = account.machine(
        {"StartAt": "Do", "States": {"Do": state, "Give Up": {"Type": "Fail", "Error": "GivenUp"}}}
    )
    failed = account.execute(machine)

    account.client("s3").put_object(Bucket=bucket, Key="failing", Body=b"[]")
    account.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])

    assert account.ended(failed["executionArn"])["error"] == "GivenUp"
    assert _calls(account, bucket) == {"a": 1}


def test_given_map_when_executed_then_history_shows_states_and_iterations(account: Account, flaky: str) -> None:
    bucket = _bucket(account, [])

    ended = account.execute(account.machine(_map_then_pass(flaky)), {"bucket": bucket, "names": ["a", "b"]})

    events = account.history(ended["executionArn"])
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    assert entered == ["Each", "One", "One", "Last"]
    assert len([event for event in events if "stateExitedEventDetails" in event]) == 4
    details = "mapIterationSucceededEventDetails"
    assert [event[details]["index"] for event in events if details in event] == [0, 1]


def _task(function: str, payload: Any, **fields: Any) -> dict[str, Any]:
    arguments = {"FunctionName": function, "Payload": payload}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, "End": True, **fields}


def _map_then_pass(function: str) -> dict[str, Any]:
    payload = {"bucket": "{% $states.context.Execution.Input.bucket %}", "name": "{% $states.input %}"}
    one = _task(function, payload, Output="{% $states.result.Payload %}")
    processor = {"StartAt": "One", "States": {"One": one}}
    each = {"Type": "Map", "Items": "{% $states.input.names %}", "MaxConcurrency": 1, "ItemProcessor": processor}
    redrives = "{% [$states.context.Execution.RedriveCount, 0][0] %}"  # absent without a redrive
    output = {"names": "{% $states.input %}", "redrives": redrives}
    last = {"Type": "Pass", "Output": output, "End": True}
    return {"StartAt": "Each", "States": {"Each": {**each, "Next": "Last"}, "Last": last}}


def _bucket(account: Account, failing: list[str]) -> str:
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="failing", Body=json.dumps(failing).encode())
    return bucket


def _calls(account: Account, bucket: str) -> dict[str, int]:
    found = account.client("s3").list_objects_v2(Bucket=bucket, Prefix="calls/")["Contents"]
    names = [item["Key"].split("/")[1] for item in found]
    return {name: names.count(name) for name in names}
