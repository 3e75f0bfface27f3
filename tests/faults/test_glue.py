"""Faults of the Glue runs."""

import pytest

from local.fault_matrix.runs import kill_glue_run
from local.fault_matrix.scenario import Scenario

MID_COPY = 2 * 1024 * 1024
MANIFEST = r"/_runs/\d+T\d+Z/logs\.json"
ALWAYS = None


def test_run_killed(scenario: Scenario) -> None:
    """A run is killed (SIGKILL) in mid-COPY, its sibling goes on."""
    scenario.start(include_tables=["log", "variable"])

    with scenario.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        run = next(run for run in scenario.active_runs() if run["Arguments"]["--EXPORT_GROUP"] == "logs")
        assert kill_glue_run(run["Id"])

    scenario.must_recover("1 table group failed (logs)", "exit code 137")


@pytest.mark.representative
def test_driver_dies_after_upload(scenario: Scenario) -> None:
    """A run's driver dies when its parts are uploaded."""
    scenario.faults.kill_caller("s3", "CompleteMultipartUpload", "/log_")

    scenario.start()

    scenario.must_recover("logs", "exit code 137")


def test_driver_always_dies_after_upload(scenario: Scenario) -> None:
    """Every run's driver dies when its parts are uploaded."""
    scenario.faults.kill_caller("s3", "CompleteMultipartUpload", "/log_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("logs", "exit code 137")


def test_run_times_out(scenario: Scenario) -> None:
    """A run takes longer than its time-out."""
    with scenario.job(Timeout=1), scenario.proxy.stalled(MID_COPY):
        scenario.start()
        scenario.wait_for_run("TIMEOUT")

    scenario.must_recover("logs", "timeout of 1 minutes")


def test_no_manifest(scenario: Scenario) -> None:
    """A run reports success but wrote no manifest."""
    scenario.faults.skip_glue_run("logs")

    scenario.start()

    scenario.must_recover("logs", "manifest", "does not exist")


def test_never_a_manifest(scenario: Scenario) -> None:
    """Every run reports success but writes no manifest."""
    scenario.faults.skip_glue_run("logs", times=ALWAYS)

    scenario.start()

    scenario.must_fail("logs", "manifest", "does not exist")


def test_truncated_manifest(scenario: Scenario) -> None:
    """A manifest is truncated."""
    scenario.faults.truncate("PutObject", MANIFEST)

    scenario.start()

    scenario.must_recover("logs", "manifest", "is not JSON")


def test_executor_dies_once(scenario: Scenario) -> None:
    """An executor's task dies once."""
    died = scenario.faults.kill_caller("s3", "UploadPart", "/log_")

    scenario.start()

    scenario.must_complete()
    assert died.hits == 1


def test_executor_always_dies(scenario: Scenario) -> None:
    """An executor's task dies whenever it is tried."""
    scenario.faults.kill_caller("s3", "UploadPart", "/log_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("logs", "log: chunk 1 of 1", "worker exited unexpectedly")


@pytest.mark.parametrize("code", ["ConcurrentRunsExceededException", "ThrottlingException"])
def test_start_refused_at_first(scenario: Scenario, code: str) -> None:
    """Glue refuses to start a run, twice."""
    refused = scenario.faults.refuse("glue", "StartJobRun", code, times=2)

    scenario.start()

    scenario.must_complete()
    assert refused.hits == 2


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("ConcurrentRunsExceededException", "ConcurrentRunsExceededException"),
        ("ThrottlingException", "AWSGlueException"),
    ],
)
def test_start_always_refused(scenario: Scenario, code: str, named: str) -> None:
    """Glue refuses to start any run."""
    scenario.faults.refuse("glue", "StartJobRun", code, times=ALWAYS)

    scenario.start()

    scenario.must_fail("logs", f"Glue.{named}")
