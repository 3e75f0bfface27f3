"""The Glue runs of a failed execution."""

from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from export_runtime.errors import AwsCallError
from report_failure.glue_runs import GlueRuns, Stopped

from tests.unit.lambdas.report_failure.cases import ARN, EXPORT_ID, execution

JOB = "prod-metadata-export"


@pytest.fixture
def stub():
    """Give a scripted Glue client."""
    with Stubber(clients.glue()) as stub:
        yield stub
        stub.assert_no_pending_responses()


def run(name: str, state: str = "RUNNING", **arguments: str) -> dict:
    """Return a run of this export, or with other arguments."""
    given = {"--EXPORT_ID": EXPORT_ID, "--EXECUTION_ARN": ARN} | {f"--{key}": value for key, value in arguments.items()}
    return {"Id": name, "JobRunState": state, "StartedOn": datetime.now(UTC), "Arguments": given}


def answer(stub, *runs: dict) -> None:
    """Let Glue list these runs next."""
    stub.add_response("get_job_runs", {"JobRuns": list(runs)}, {"JobName": JOB, "MaxResults": 200})


def expect_stop(stub, *names: str, errors: tuple[dict, ...] = ()) -> None:
    """Let Glue be asked to stop exactly these runs."""
    stub.add_response("batch_stop_job_run", {"Errors": list(errors)}, {"JobName": JOB, "JobRunIds": list(names)})


def stop(stub, patience: float = 10, look: float = 0) -> Stopped:
    """Stop the runs of the failed execution, by a clock that goes on in its sleep and, by `look`, when looked at."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def clock() -> float:
        nonlocal now
        now += look
        return now

    return GlueRuns(stub.client, JOB, sleep, clock).stop(execution(), patience)


def test_given_active_runs_then_exactly_this_executions_are_stopped(stub):
    others = [
        run("another-export", EXPORT_ID="20261211T143023Z"),
        run("another-execution", EXECUTION_ARN=f"{ARN}-2"),
        run("done", "SUCCEEDED"),
        run("failed", "FAILED"),
        {**run("foreign"), "Arguments": {}},
    ]
    answer(stub, run("one"), run("two", "STARTING"), run("three", "WAITING"), *others)
    expect_stop(stub, "one", "two", "three")
    answer(stub, run("one", "STOPPED"))
    assert stop(stub) == Stopped(stopped=("one", "two", "three"))


def test_given_no_active_run_then_nothing_is_stopped_and_nobody_waits(stub):
    answer(stub, run("done", "SUCCEEDED"))
    assert stop(stub) == Stopped()


def test_given_a_run_that_step_functions_stops_already_then_its_end_is_awaited(stub):
    answer(stub, run("one", "STOPPING"))
    answer(stub, run("one", "STOPPING"))
    answer(stub, run("one", "STOPPED"))
    assert stop(stub) == Stopped()


def test_given_a_redrive_while_its_runs_end_then_nobody_waits_for_the_new_ones(stub):
    answer(stub, run("one"))
    expect_stop(stub, "one")
    answer(stub, run("one", "STOPPED"), run("of-the-redrive"))
    assert stop(stub) == Stopped(stopped=("one",))


def test_given_a_run_that_does_not_end_then_it_is_named_after_the_patience(stub):
    answer(stub, run("one"))
    expect_stop(stub, "one")
    answer(stub, run("one", "STOPPING"))
    answer(stub, run("one", "STOPPING"))
    assert stop(stub, patience=10) == Stopped(stopped=("one",), still_active=("one",))


def test_given_glue_is_slow_then_the_patience_ends_no_later(stub):
    answer(stub, run("one"))
    expect_stop(stub, "one")
    answer(stub, run("one", "STOPPING"))
    assert stop(stub, patience=10, look=5).still_active == ("one",)


def test_given_glue_does_not_stop_a_run_then_it_is_named_with_the_reason(stub):
    answer(stub, run("one"))
    error = {"JobName": JOB, "JobRunId": "one", "ErrorDetail": {"ErrorCode": "X", "ErrorMessage": "not\nnow"}}
    expect_stop(stub, "one", errors=(error,))
    assert stop(stub, patience=0) == Stopped(stopped=(), still_active=("one (Glue did not stop it: not now)",))


def test_given_a_run_of_an_older_version_then_its_export_id_suffices(stub):
    old = run("old")
    del old["Arguments"]["--EXECUTION_ARN"]
    answer(stub, old)
    expect_stop(stub, "old")
    answer(stub)
    assert stop(stub).stopped == ("old",)


def test_given_glue_refuses_then_the_error_says_what_to_do(stub):
    stub.add_client_error("get_job_runs", "AccessDeniedException", http_status_code=400)
    with pytest.raises(AwsCallError, match="Stop its runs in the Glue console"):
        stop(stub)
