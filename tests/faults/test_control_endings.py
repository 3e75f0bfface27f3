"""Functions that end badly in ways of Lambda's own, executions stopped in each phase, and what cannot be delivered.

AWS documented: how Lambda ends a function. https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html

AWS documented: an aborted execution can be redriven. https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html

AWS documented: where goes what Scheduler cannot deliver. https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import json
import time
from datetime import UTC, datetime

import pytest

from local.fault_matrix import alarms, control
from local.fault_matrix.scenario import Scenario
from local.pipeline import STACK

ALWAYS = None
SMALL = ["variable"]
UNDELIVERED = f"{STACK}-undelivered"
OUT_OF_MEMORY = ("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed")
NOT_IMPORTED = ("Runtime.ImportModuleError", "Unable to import module 'prepare_connection.handler'")
GRANTED = {"Principal": "events.amazonaws.com"}
TOO_LARGE = ("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size")


@pytest.mark.parametrize(
    ("function", "state", "error"),
    [
        ("PlanExport", "Plan Export", OUT_OF_MEMORY),
        ("PrepareConnection", "Prepare Connection", NOT_IMPORTED),
        ("AggregateResults", "Aggregate Results", OUT_OF_MEMORY),
        ("AggregateResults", "Aggregate Results", TOO_LARGE),
    ],
    ids=["killed before the runs", "not importable", "killed after the runs", "too large an answer"],
)
def test_function_ends_badly(scenario: Scenario, function: str, state: str, error: tuple[str, str]) -> None:
    """A function is killed, cannot be imported or answers too much; a redrive repeats it, and no run."""
    fault = scenario.faults.throw(function, *error, times=ALWAYS)
    scenario.start(include_tables=SMALL)
    scenario.must_fail(state, *error)
    fault.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)
    assert control.runs_of(scenario) == ["definitions"]


def test_answers_of_all_functions_lost(scenario: Scenario) -> None:
    """Every function does its work, but its answer is lost: it is called again, and does no harm."""
    lost = [
        scenario.faults.refuse("lambda", "Invoke", "ServiceException", 500, resource=function, after=True)
        for function in ("PlanExport", "PrepareConnection", "AggregateResults")
    ]

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert [fault.hits for fault in lost] == [1, 1, 1]


def test_key_of_the_functions_disabled(scenario: Scenario) -> None:
    """The key of the functions' environment is disabled, so that no function runs, not even the one that alerts."""
    scenario.faults.refuse("lambda", "Invoke", "KMSDisabledException", 502, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    control.must_be_unheard(scenario)


@pytest.mark.parametrize(("function", "state"), [("PlanExport", "Plan Export"), ("PrepareConn", "Prepare Connection")])
def test_aborted_before_the_runs(scenario: Scenario, function: str, state: str) -> None:
    """A person stops the execution before the first run, and redrives it."""
    with scenario.faults.held("lambda", "Invoke", function) as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        control.stop(scenario, "by hand")
        control.wait_until_ended(scenario)
    scenario.must_fail("was ABORTED", "by hand", state, "Nothing of this export", status="ABORTED")

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)


def test_aborted_in_the_aggregation(scenario: Scenario) -> None:
    """A person stops the execution while it is verified, and redrives it."""
    with scenario.faults.held("lambda", "Invoke", "AggregateResults") as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        control.stop(scenario, "by hand")
        scenario.must_fail("was ABORTED", "by hand", "Aggregate Results", "nobody has verified", status="ABORTED")

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)
    assert control.runs_of(scenario) == ["definitions"]


def test_aborted_in_the_retry_and_redriven(scenario: Scenario) -> None:
    """A person stops the execution while the failed group runs again, and redrives it."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    with scenario.faults.held("glue", "StartJobRun") as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        control.stop(scenario, "by hand")
        control.wait_until_ended(scenario)
    scenario.must_fail("was ABORTED", "by hand", "Retry Group", status="ABORTED")

    control.redrive(scenario)

    control.must_be_noticed(scenario)


def test_topic_refuses_for_its_key(scenario: Scenario) -> None:
    """The key of the topic may not be used: the event waits in the dead-letter queue."""
    scenario.publish(password="")
    refused = scenario.faults.refuse("sns", "Publish", "KMSAccessDenied", 400, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    control.must_be_unheard(scenario)
    assert refused.hits > 1


def test_rule_may_not_invoke(scenario: Scenario) -> None:
    """Somebody took EventBridge's permission to invoke Report Failure: the event waits in the dead-letter queue."""
    client = scenario.client("lambda")
    functions = [each["FunctionName"] for each in client.list_functions()["Functions"]]
    [name] = [each for each in functions if "ReportFailure" in each]
    statements = json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]
    [statement] = [each for each in statements if "FailedExecution" in each["Condition"]["ArnLike"]["AWS:SourceArn"]]
    client.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    again = {"StatementId": statement["Sid"], "Action": statement["Action"], **GRANTED}
    source = statement["Condition"]["ArnLike"]["AWS:SourceArn"]
    scenario.undo.callback(client.add_permission, FunctionName=name, SourceArn=source, **again)
    scenario.publish(password="")

    scenario.start(include_tables=SMALL)

    control.must_be_unheard(scenario)


def test_schedule_refused(scenario: Scenario) -> None:
    """Scheduler cannot start an execution (ExecutionLimitExceeded): the alarm on dead letters rings."""
    refused = scenario.faults.refuse("states", "StartExecution", "ExecutionLimitExceeded", times=ALWAYS)
    fire_schedule(scenario)

    def rings() -> bool:
        return alarms.evaluate(scenario.client, UNDELIVERED, datetime.now(UTC)) == alarms.ALARM

    scenario.wait_for(rings, "The alarm on dead letters did not ring")
    notice = control.alarm_notice(scenario, UNDELIVERED, alarms.ALARM)
    assert "or a schedule's start" in notice["AlarmDescription"]
    assert [json.loads(body) for body in control.dead_letters(scenario)] == [{"trigger": "schedule"}]
    refused.remove()

    scenario.start(include_tables=SMALL)

    scenario.must_complete()


def fire_schedule(scenario: Scenario) -> None:
    """Let a schedule with the target of the stack's fire now, once."""
    scheduler, name = scenario.client("scheduler"), "fires-now"
    found = control.schedule(scenario)
    same = {each: found[each] for each in ("FlexibleTimeWindow", "Target", "KmsKeyArn")}
    soon = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1))
    scheduler.create_schedule(Name=name, ScheduleExpression=soon, State="ENABLED", **same)
    scenario.undo.callback(scheduler.delete_schedule, Name=name)
