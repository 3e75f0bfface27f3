"""Tasks of a state machine: called in the machine's role, failing with the names that Step Functions gives."""

import json
from typing import Any

import pytest

from tests.emulated_account import EVERYTHING, Account

pytestmark = pytest.mark.on_aws
ECHO = "def handler(event, context):\n    return event\n"


def task(resource: str, arguments: Any, **fields: Any) -> dict[str, Any]:
    """A machine with one task."""
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "End": True, **fields}
    return {"StartAt": "Do", "States": {"Do": state}}


def invoke(function: str, payload: Any = None, **fields: Any) -> dict[str, Any]:
    """A machine that invokes a function."""
    return task("lambda:invoke", {"FunctionName": function, "Payload": payload or {}}, **fields)


def test_given_function_when_invoked_then_its_payload_is_the_result(account: Account) -> None:
    machine = account.machine(invoke(account.function(ECHO), {"a": [1]}, Output="{% $states.result.Payload %}"))

    assert json.loads(account.execute(machine)["output"]) == {"a": [1]}


def test_given_function_that_raises_when_invoked_then_error_is_the_class_and_cause_the_payload(
    account: Account,
) -> None:
    code = (
        "class InvalidInputError(Exception): pass\ndef handler(event, context):\n    raise InvalidInputError('bad')\n"
    )

    ended = account.execute(account.machine(invoke(account.function(code))))

    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidInputError")
    cause = json.loads(ended["cause"])
    assert (cause["errorType"], cause["errorMessage"]) == ("InvalidInputError", "bad")
    assert "raise InvalidInputError" in cause["stackTrace"][0]


def test_given_role_without_permission_when_function_is_invoked_then_refused(account: Account) -> None:
    role = account.role("states", {**EVERYTHING, "Action": "glue:*"})

    ended = account.execute(account.machine(invoke(account.function(ECHO)), role))

    assert ended["error"] == "Lambda.AWSLambdaException"
    assert "lambda:InvokeFunction" in ended["cause"]


def test_given_role_without_permission_when_published_then_refused(account: Account) -> None:
    machine = account.machine(
        task("sns:publish", {"TopicArn": account.topic(), "Message": "x"}), account.role("states")
    )

    ended = account.execute(machine)

    assert ended["error"] == "SNS.AuthorizationErrorException"


def test_given_job_when_run_and_awaited_then_the_job_run_is_the_result(account: Account) -> None:
    job = account.job("print('done')")

    ended = account.execute(account.machine(task("glue:startJobRun.sync", {"JobName": job})))

    run = json.loads(ended["output"])
    assert (run["JobName"], run["JobRunState"]) == (job, "SUCCEEDED")
    assert isinstance(run["StartedOn"], int)
    assert run["StartedOn"] > 1_600_000_000_000


def test_given_failing_job_when_awaited_then_task_failed_with_the_job_run_as_cause(account: Account) -> None:
    job = account.job("raise ValueError('broken')")

    ended = account.execute(account.machine(task("glue:startJobRun.sync", {"JobName": job})))

    assert ended["error"] == "States.TaskFailed"
    cause = json.loads(ended["cause"])
    assert cause["JobRunState"] == "FAILED"
    assert "ValueError: broken" in cause["ErrorMessage"]


def test_given_concurrent_run_when_started_then_cause_is_plain_text(account: Account) -> None:
    job, glue = account.job("import time\ntime.sleep(600)"), account.client("glue")
    run_id = glue.start_job_run(JobName=job)["JobRunId"]

    ended = account.execute(account.machine(task("glue:startJobRun.sync", {"JobName": job})))

    glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
    assert ended["error"] == "Glue.ConcurrentRunsExceededException"
    assert ended["cause"].startswith("Concurrent runs exceeded")


def test_given_waiting_execution_when_stopped_then_the_job_run_is_stopped_too(account: Account) -> None:
    job, states = account.job("import time\ntime.sleep(600)"), account.client("stepfunctions")
    machine = account.machine(task("glue:startJobRun.sync", {"JobName": job}))
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    account.wait(lambda: _states_of_runs(account, job) == ["RUNNING"], f"a run of {job} begins")

    states.stop_execution(executionArn=execution, error="Person", cause="enough")

    assert account.ended(execution)["status"] == "ABORTED"
    account.wait(lambda: _states_of_runs(account, job) == ["STOPPED"], f"the run of {job} is stopped")


def test_given_task_that_takes_too_long_when_its_time_is_over_then_timeout_and_the_run_is_stopped(
    account: Account,
) -> None:
    job = account.job("import time\ntime.sleep(600)")

    ended = account.execute(account.machine(task("glue:startJobRun.sync", {"JobName": job}, TimeoutSeconds=10)))

    assert ended["error"] == "States.Timeout"
    account.wait(lambda: _states_of_runs(account, job) == ["STOPPED"], f"the run of {job} is stopped")


def _states_of_runs(account: Account, job: str) -> list[str]:
    return [run["JobRunState"] for run in account.client("glue").get_job_runs(JobName=job)["JobRuns"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("$states.input.yes", "yes"), ("$states.input.no", "no"), ("$states.input.yes and 1 = 1", "yes")],
    ids=["true", "false", "composed"],
)
def test_given_condition_that_is_a_boolean_then_it_decides(account: Account, condition: str, expected: str) -> None:
    ended = account.execute(account.machine(choice(f"{{% {condition} %}}")), {"yes": True, "no": False})

    assert json.loads(ended["output"]) == expected


@pytest.mark.parametrize(
    "condition",
    ["{% $states.input.text %}", "{% $states.input.number %}", "{% $states.input.list %}", "true"],
    ids=["text", "number", "list", "no expression"],
)
def test_given_condition_that_is_no_boolean_then_the_execution_fails(account: Account, condition: str) -> None:
    given = {"text": "true", "number": 1, "list": [True]}

    ended = account.execute(account.machine(choice(condition)), given)

    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "Expected 'boolean'" in ended["cause"]


def test_given_eval_then_there_is_none(account: Account) -> None:
    machine = {"StartAt": "Do", "States": {"Do": {"Type": "Pass", "Output": "{% $eval('1 + 1') %}", "End": True}}}

    ended = account.execute(account.machine(machine))

    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "$parse" in ended["cause"]


def choice(condition: str) -> dict[str, Any]:
    """A machine that says which way it went."""
    ways = {name: {"Type": "Pass", "Output": name, "End": True} for name in ("yes", "no")}
    asked = {"Type": "Choice", "Choices": [{"Condition": condition, "Next": "yes"}], "Default": "no"}
    return {"StartAt": "Ask", "States": {"Ask": asked, **ways}}
