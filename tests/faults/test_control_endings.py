"""Functions that end badly in ways of Lambda's own, executions stopped in each phase, and what cannot be delivered.

https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import json
import time
from datetime import UTC, datetime

import pytest

from local.faults import alarms, control
from local.faults.scene import Scene
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
def test_function_ends_badly(scene: Scene, function: str, state: str, error: tuple[str, str]) -> None:
    """A function is killed, cannot be imported or answers too much; a redrive repeats it, and no run."""
    fault = scene.faults.throw(function, *error, times=ALWAYS)
    scene.start(include_tables=SMALL)
    scene.must_fail(state, *error)
    fault.remove()

    control.redrive(scene)

    control.must_be_noticed(scene, 0)
    assert control.runs_of(scene) == ["definitions"]


def test_answers_of_all_functions_lost(scene: Scene) -> None:
    """Every function does its work, but its answer is lost: it is called again, and does no harm."""
    lost = [
        scene.faults.refuse("lambda", "Invoke", "ServiceException", 500, resource=function, after=True)
        for function in ("PlanExport", "PrepareConnection", "AggregateResults")
    ]

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert [fault.hits for fault in lost] == [1, 1, 1]


def test_key_of_the_functions_disabled(scene: Scene) -> None:
    """The key of the functions' environment is disabled, so that no function runs, not even the one that alerts."""
    scene.faults.refuse("lambda", "Invoke", "KMSDisabledException", 502, times=ALWAYS)

    scene.start(include_tables=SMALL)

    control.must_be_unheard(scene)


@pytest.mark.parametrize(("function", "state"), [("PlanExport", "Plan Export"), ("PrepareConn", "Prepare Connection")])
def test_aborted_before_the_runs(scene: Scene, function: str, state: str) -> None:
    """A person stops the execution before the first run, and redrives it."""
    with scene.faults.held("lambda", "Invoke", function) as held:
        scene.start(include_tables=SMALL)
        held.wait()
        control.stop(scene, "by hand")
        control.wait_until_ended(scene)
    scene.must_fail("was ABORTED", "by hand", state, "Nothing of this export", status="ABORTED")

    control.redrive(scene)

    control.must_be_noticed(scene, 0)


def test_aborted_in_the_aggregation(scene: Scene) -> None:
    """A person stops the execution while it is verified, and redrives it."""
    with scene.faults.held("lambda", "Invoke", "AggregateResults") as held:
        scene.start(include_tables=SMALL)
        held.wait()
        control.stop(scene, "by hand")
        scene.must_fail("was ABORTED", "by hand", "Aggregate Results", "nobody has verified", status="ABORTED")

    control.redrive(scene)

    control.must_be_noticed(scene, 0)
    assert control.runs_of(scene) == ["definitions"]


def test_aborted_in_the_retry_and_redriven(scene: Scene) -> None:
    """A person stops the execution while the failed group runs again, and redrives it."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    with scene.faults.held("glue", "StartJobRun") as held:
        scene.start(include_tables=SMALL)
        held.wait()
        control.stop(scene, "by hand")
        control.wait_until_ended(scene)
    scene.must_fail("was ABORTED", "by hand", "Retry Group", status="ABORTED")

    control.redrive(scene)

    control.must_be_noticed(scene)


def test_topic_refuses_for_its_key(scene: Scene) -> None:
    """The key of the topic may not be used: the event waits in the dead-letter queue."""
    scene.publish(password="")
    refused = scene.faults.refuse("sns", "Publish", "KMSAccessDenied", 400, times=ALWAYS)

    scene.start(include_tables=SMALL)

    control.must_be_unheard(scene)
    assert refused.hits > 1


def test_rule_may_not_invoke(scene: Scene) -> None:
    """Somebody took EventBridge's permission to invoke Report Failure: the event waits in the dead-letter queue."""
    client = scene.client("lambda")
    functions = [each["FunctionName"] for each in client.list_functions()["Functions"]]
    [name] = [each for each in functions if "ReportFailure" in each]
    [statement] = json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]
    client.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    again = {"StatementId": statement["Sid"], "Action": statement["Action"], **GRANTED}
    source = statement["Condition"]["ArnLike"]["AWS:SourceArn"]
    scene.undo.callback(client.add_permission, FunctionName=name, SourceArn=source, **again)
    scene.publish(password="")

    scene.start(include_tables=SMALL)

    control.must_be_unheard(scene)


def test_schedule_refused(scene: Scene) -> None:
    """Scheduler cannot start an execution (ExecutionLimitExceeded): the alarm on dead letters rings."""
    refused = scene.faults.refuse("states", "StartExecution", "ExecutionLimitExceeded", times=ALWAYS)
    fire_schedule(scene)

    def rings() -> bool:
        return alarms.evaluate(scene.client, UNDELIVERED, datetime.now(UTC)) == alarms.ALARM

    scene.wait_for(rings, "The alarm on dead letters did not ring")
    notice = control.alarm_notice(scene, UNDELIVERED, alarms.ALARM)
    assert "fallback schedule's start" in notice["AlarmDescription"]
    assert [json.loads(body) for body in control.dead_letters(scene)] == [{"trigger": "schedule"}]
    refused.remove()

    scene.start(include_tables=SMALL)

    scene.must_complete()


def fire_schedule(scene: Scene) -> None:
    """Let a schedule with the target of the stack's fire now, once."""
    scheduler, name = scene.client("scheduler"), "fires-now"
    [stack] = [item["Name"] for item in scheduler.list_schedules()["Schedules"]]
    found = scheduler.get_schedule(Name=stack)
    same = {each: found[each] for each in ("FlexibleTimeWindow", "Target", "KmsKeyArn")}
    soon = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1))
    scheduler.create_schedule(Name=name, ScheduleExpression=soon, State="ENABLED", **same)
    scene.undo.callback(scheduler.delete_schedule, Name=name)
