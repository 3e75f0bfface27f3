"""Faults of the Lambda functions and of the topic."""

import pytest

from local.aws.faults.client import Fault
from local.faults import control
from local.faults.scene import Scene

ALWAYS = None
THROWS, TIMES_OUT, THROTTLED = "throws", "times out", "is throttled"
KINDS = (THROWS, TIMES_OUT, THROTTLED)
SAID = {THROWS: "an odd reason", TIMES_OUT: "Task timed out", THROTTLED: "Lambda.TooManyRequestsException"}
FUNCTIONS = ("PlanExport", "PrepareConnection", "AggregateResults")
SMALL = ["variable"]


def fail(scene: Scene, function: str, kind: str, *, skip: int = 0, times: int | None = ALWAYS) -> Fault:
    """Let a function fail."""
    if kind == THROWS:
        return scene.faults.throw(function, "OddError", "an odd reason", skip=skip, times=times)
    if kind == TIMES_OUT:
        return scene.faults.time_out(function, skip=skip, times=times)
    code, status = "TooManyRequestsException", 429
    return scene.faults.refuse("lambda", "Invoke", code, status, resource=function, skip=skip, times=times)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("function", "state"), [("PlanExport", "Plan Export"), ("PrepareConn", "Prepare Connection")])
def test_function_before_the_runs(scene: Scene, function: str, state: str, kind: str) -> None:
    """A function fails before a Glue run starts."""
    fail(scene, function, kind)

    scene.start(include_tables=SMALL)

    scene.must_fail(state, SAID[kind])
    assert control.runs_of(scene) == []


@pytest.mark.parametrize("kind", KINDS)
def test_aggregate_results(scene: Scene, kind: str) -> None:
    """Aggregate Results fails after the runs; a redrive repeats only it."""
    fault = fail(scene, "AggregateResults", kind)
    scene.start(include_tables=SMALL)
    scene.must_fail("Aggregate Results", SAID[kind], "nobody has verified")
    fault.remove()

    control.redrive(scene)

    control.must_be_noticed(scene, 0)
    assert control.runs_of(scene) == ["definitions"]


@pytest.mark.parametrize("kind", KINDS)
def test_aggregate_retried_results(scene: Scene, kind: str) -> None:
    """Aggregate Results fails after the retry; a redrive repeats only it."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = fail(scene, "AggregateResults", kind, skip=1)
    scene.start(include_tables=SMALL)
    scene.must_fail("Aggregate Retried Results", SAID[kind])
    fault.remove()

    control.redrive(scene)

    control.must_be_noticed(scene)
    assert control.runs_of(scene) == ["definitions"]


def test_every_function_is_busy_at_first(scene: Scene) -> None:
    """Every function is throttled at first."""
    faults = [fail(scene, function, THROTTLED, times=2) for function in FUNCTIONS]

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert [fault.hits for fault in faults] == [2, 2, 2]


def test_every_function_runs_out_of_time_at_first(scene: Scene) -> None:
    """Every function runs into its own time-out at first."""
    faults = [fail(scene, function, TIMES_OUT, times=2) for function in FUNCTIONS]

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert [fault.hits for fault in faults] == [2, 2, 2]


def test_aws_is_unavailable_at_first(scene: Scene) -> None:
    """What a function calls does not answer at first."""
    fault = scene.faults.refuse("secretsmanager", "GetSecretValue", "InternalServiceError", 500, times=5)

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert fault.hits == 5  # more often than the SDK tries again


@pytest.mark.parametrize("kind", KINDS)
def test_report_failure_fails_at_first(scene: Scene, kind: str) -> None:
    """Report Failure fails at first."""
    scene.publish(password="")
    fault = fail(scene, "ReportFailure", kind, times=2)

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", "the secret lacks password")
    assert fault.hits == 2


@pytest.mark.parametrize("kind", KINDS)
def test_report_failure_always_fails(scene: Scene, kind: str) -> None:
    """Report Failure always fails: the event waits in the dead-letter queue."""
    scene.publish(password="")
    fail(scene, "ReportFailure", kind)

    scene.start(include_tables=SMALL)

    control.must_be_unheard(scene)


def test_topic_refuses_the_alert_once(scene: Scene) -> None:
    """The topic refuses the alert once."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = scene.faults.refuse("sns", "Publish", "InternalError", 500)

    scene.start(include_tables=SMALL)

    scene.must_recover("1 table group failed (definitions)", "InvalidInputException")
    assert fault.hits == 1


def test_topic_refuses_the_failure_alert(scene: Scene) -> None:
    """The topic refuses the failure alert whenever it is sent, and the retry succeeds."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = scene.faults.refuse("sns", "Publish", "InternalError", 500, resource="INCOMPLETE", times=ALWAYS)

    scene.start(include_tables=SMALL)

    control.must_be_noticed(scene)
    assert fault.hits > 0


def test_topic_refuses_the_failure_alert_and_the_retry_fails(scene: Scene) -> None:
    """The topic refuses the failure alert whenever it is sent, and the retry fails."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=ALWAYS)
    scene.faults.refuse("sns", "Publish", "InternalError", 500, resource=r"INCOMPLETE%3A\+definitions", times=ALWAYS)

    scene.start(include_tables=SMALL)

    scene.must_fail("definitions", "InvalidInputException")


def test_topic_refuses_everything(scene: Scene) -> None:
    """The topic refuses everything, and the retry succeeds: a redrive, later on, sends the notice."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = scene.faults.refuse("sns", "Publish", "InternalError", 500, times=ALWAYS)
    scene.start(include_tables=SMALL)
    control.must_be_unheard(scene)
    fault.remove()

    control.redrive(scene)

    control.must_be_noticed(scene)
    assert control.runs_of(scene) == ["definitions"]
