"""Faults of the Lambda functions and of the topic."""

import pytest

from local.aws.injection.client import Fault
from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario

ALWAYS = None
THROWS, TIMES_OUT, THROTTLED = "throws", "times out", "is throttled"
KINDS = (THROWS, TIMES_OUT, THROTTLED)
SAID = {THROWS: "an odd reason", TIMES_OUT: "Task timed out", THROTTLED: "Lambda.TooManyRequestsException"}
FUNCTIONS = ("PlanExport", "PrepareConnection", "AggregateResults")
SMALL = ["variable"]


def fail(scenario: Scenario, function: str, kind: str, *, skip: int = 0, times: int | None = ALWAYS) -> Fault:
    """Let a function fail."""
    if kind == THROWS:
        return scenario.faults.throw(function, "OddError", "an odd reason", skip=skip, times=times)
    if kind == TIMES_OUT:
        return scenario.faults.time_out(function, skip=skip, times=times)
    code, status = "TooManyRequestsException", 429
    return scenario.faults.refuse("lambda", "Invoke", code, status, resource=function, skip=skip, times=times)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("function", "state"), [("PlanExport", "Plan Export"), ("PrepareConn", "Prepare Connection")])
def test_function_before_the_runs(scenario: Scenario, function: str, state: str, kind: str) -> None:
    """A function fails before a Glue run starts."""
    fail(scenario, function, kind)

    scenario.start(include_tables=SMALL)

    scenario.must_fail(state, SAID[kind])
    assert control.runs_of(scenario) == []


@pytest.mark.parametrize("kind", KINDS)
def test_aggregate_results(scenario: Scenario, kind: str) -> None:
    """Aggregate Results fails after the runs; a redrive repeats only it."""
    fault = fail(scenario, "AggregateResults", kind)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("Aggregate Results", SAID[kind], "nobody has verified")
    fault.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)
    assert control.runs_of(scenario) == ["definitions"]


@pytest.mark.parametrize("kind", KINDS)
def test_aggregate_retried_results(scenario: Scenario, kind: str) -> None:
    """Aggregate Results fails after the retry; a redrive repeats only it."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = fail(scenario, "AggregateResults", kind, skip=1)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("Aggregate Retried Results", SAID[kind])
    fault.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario)
    assert control.runs_of(scenario) == ["definitions"]


def test_every_function_is_busy_at_first(scenario: Scenario) -> None:
    """Every function is throttled at first."""
    faults = [fail(scenario, function, THROTTLED, times=2) for function in FUNCTIONS]

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert [fault.hits for fault in faults] == [2, 2, 2]


def test_every_function_runs_out_of_time_at_first(scenario: Scenario) -> None:
    """Every function runs into its own time-out at first."""
    faults = [fail(scenario, function, TIMES_OUT, times=2) for function in FUNCTIONS]

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert [fault.hits for fault in faults] == [2, 2, 2]


def test_aws_is_unavailable_at_first(scenario: Scenario) -> None:
    """What a function calls does not answer at first."""
    fault = scenario.faults.refuse("secretsmanager", "GetSecretValue", "InternalServiceError", 500, times=5)

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert fault.hits == 5  # more often than the SDK tries again


@pytest.mark.parametrize("kind", KINDS)
def test_report_failure_fails_at_first(scenario: Scenario, kind: str) -> None:
    """Report Failure fails at first."""
    scenario.publish(password="")
    fault = fail(scenario, "ReportFailure", kind, times=2)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", "the secret lacks password")
    assert fault.hits == 2


@pytest.mark.parametrize("kind", KINDS)
def test_report_failure_always_fails(scenario: Scenario, kind: str) -> None:
    """Report Failure always fails: the event waits in the dead-letter queue."""
    scenario.publish(password="")
    fail(scenario, "ReportFailure", kind)

    scenario.start(include_tables=SMALL)

    control.must_be_unheard(scenario)


def test_topic_refuses_the_alert_once(scenario: Scenario) -> None:
    """The topic refuses the alert once."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = scenario.faults.refuse("sns", "Publish", "InternalError", 500)

    scenario.start(include_tables=SMALL)

    scenario.must_recover("1 table group failed (definitions)", "InvalidInputException")
    assert fault.hits == 1


def test_topic_refuses_the_failure_alert(scenario: Scenario) -> None:
    """The topic refuses the failure alert whenever it is sent, and the retry succeeds."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = scenario.faults.refuse("sns", "Publish", "InternalError", 500, resource="INCOMPLETE", times=ALWAYS)

    scenario.start(include_tables=SMALL)

    control.must_be_noticed(scenario)
    assert fault.hits > 0


def test_topic_refuses_the_failure_alert_and_the_retry_fails(scenario: Scenario) -> None:
    """The topic refuses the failure alert whenever it is sent, and the retry fails."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=ALWAYS)
    scenario.faults.refuse("sns", "Publish", "InternalError", 500, resource=r"INCOMPLETE%3A\+definitions", times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("definitions", "InvalidInputException")


def test_topic_refuses_everything(scenario: Scenario) -> None:
    """The topic refuses everything, and the retry succeeds: a redrive, later on, sends the notice."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    fault = scenario.faults.refuse("sns", "Publish", "InternalError", 500, times=ALWAYS)
    scenario.start(include_tables=SMALL)
    control.must_be_unheard(scenario)
    fault.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario)
    assert control.runs_of(scenario) == ["definitions"]
