"""How Glue documents that a run can end, and what its API refuses.

AWS documented: the states of a Glue run. https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html

AWS documented: the errors of Glue. https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-exceptions.html
"""

import contextlib

import pytest

from local.aws.injection.client import FaultError
from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario
from local.pipeline import STACK

ALWAYS = None
SMALL = ["variable"]
MID_COPY = 2 * 1024 * 1024
HOLD_RUN = ("glue", "StartJobRun")
SECOND_RUN_SECONDS = 60.0
LOGS = r'"--EXPORT_GROUP": "logs"'


@pytest.mark.parametrize("state", ["ERROR", "EXPIRED"])
def test_run_ends_as(scenario: Scenario, state: str) -> None:
    """A run ends in a state that is neither success nor failure, and Glue gives no reason."""
    scenario.faults.skip_glue_run("definitions", state)

    scenario.start(include_tables=SMALL)

    scenario.must_recover("definitions", f"the Glue run ended as {state}")


def test_run_stopped_by_a_person(scenario: Scenario) -> None:
    """A person stops a run in mid-COPY: its group runs again."""
    scenario.start()
    with scenario.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        [run] = scenario.active_runs()
        scenario.client("glue").batch_stop_job_run(JobName=STACK, JobRunIds=[run["Id"]])

    scenario.must_recover("logs", "the Glue run ended as STOPPED")


def test_run_waits(scenario: Scenario) -> None:
    """A run waits for capacity for a while (WAITING)."""
    waiting = scenario.faults.amend("glue", "GetJobRun", "JobRun", {"JobRunState": "WAITING"}, times=3)

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert waiting.hits == 3


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalServiceException", 500), ("OperationTimeoutException", 400), ("EntityNotFoundException", 400)],
)
def test_run_never_starts(scenario: Scenario, code: str, status: int) -> None:
    """Glue cannot start any run: it is broken, busy, or has no such job."""
    scenario.faults.refuse("glue", "StartJobRun", code, status, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("definitions", f"Glue.{code}")


def test_run_starts_without_an_answer(scenario: Scenario) -> None:
    """Glue starts a run, its answer is lost, and a second run of the same group starts beside it."""
    lost = scenario.faults.refuse("glue", "StartJobRun", "InternalServiceException", 500, after=True)

    scenario.start()

    scenario.must_complete()
    assert lost.hits == 1
    assert control.runs_of(scenario) == ["logs", "logs"]


def test_run_that_goes_on_beside_a_redrive(scenario: Scenario) -> None:
    """Nobody could stop the run of an aborted execution: the redrive's run waits for it, so that none overwrites."""
    scenario.faults.refuse("glue", "BatchStopJobRun", "AccessDeniedException", times=ALWAYS)
    with scenario.faults.held("s3", "PutObject", "/variable_", times=1) as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        control.stop(scenario, "by hand")
        control.must_be_told(scenario, "was ABORTED", "COULD NOT BE DONE", "stop runs of Glue job")
        scenario.execute("INSERT INTO variable (key, val, is_encrypted) VALUES ('new', '', false)")
        control.redrive(scenario)
        with contextlib.suppress(FaultError):  # the execution does not end, since the second run waits
            scenario.wait_for(lambda: scenario.describe()["status"] != "RUNNING", "Waits", seconds=SECOND_RUN_SECONDS)
        scenario.execute("DELETE FROM variable WHERE key = 'new'")  # what both have written is then what is there

    control.must_be_noticed(scenario, 0)
    assert scenario.judged is not None
    assert scenario.judged[0].summary is not None
    for table in scenario.judged[0].summary["details"].values():
        head = scenario.client("s3").head_object(
            Bucket=scenario.pipeline.bucket, Key=table["key"], ChecksumMode="ENABLED"
        )
        assert head["ChecksumSHA256"] == table["checksum_sha256"]


def test_script_deleted(scenario: Scenario) -> None:
    """Somebody deleted the job's script: the alert names it, and a redrive exports once it is back."""
    s3 = scenario.client("s3")
    location = scenario.client("glue").get_job(JobName=STACK)["Job"]["Command"]["ScriptLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    script = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    scenario.undo.callback(s3.put_object, Bucket=bucket, Key=key, Body=script)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("definitions", "NoSuchKey", key)
    s3.put_object(Bucket=bucket, Key=key, Body=script)

    control.redrive(scenario)

    control.must_be_noticed(scenario)


def test_runs_may_not_be_looked_at_while_a_sibling_is_waited_for(scenario: Scenario) -> None:
    """GetJobRuns is refused to the run that keeps the snapshot for a sibling that never starts: its bound holds."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException", resource=LOGS)
    refused = scenario.faults.refuse("glue", "GetJobRuns", "AccessDeniedException", times=ALWAYS)

    with scenario.job({"--SNAPSHOT_HOLD_SECONDS": "5"}):
        scenario.start(include_tables=["log", "variable"])
        scenario.must_recover("1 table group failed (logs)", "InvalidInputException")

    assert refused.hits > 0


def test_runs_may_not_be_looked_at_when_redriven(scenario: Scenario) -> None:
    """GetJobRuns is throttled when a redrive finds the lock of another export: it does not export beside it."""
    failing = scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=ALWAYS)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("definitions", "InvalidInputException")
    old = control.arn(scenario)
    failing.remove()
    scenario.start(include_tables=["slot_pool"])
    control.wait_until_ended(scenario)
    scenario.follow(old)
    scenario.tables = SMALL
    throttled = scenario.faults.refuse("glue", "GetJobRuns", "ThrottlingException", times=ALWAYS)
    control.redrive(scenario)
    scenario.must_fail(
        "holds the lock", "Glue does not say whether it is running", "redrive this one when it has ended"
    )
    throttled.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario)


def test_runs_may_not_be_stopped(scenario: Scenario) -> None:
    """A person stops the execution, and nobody may stop its run (BatchStopJobRun refused): the alert says so."""
    scenario.faults.refuse("glue", "BatchStopJobRun", "AccessDeniedException", times=ALWAYS)
    with scenario.faults.held("s3", "UploadPart", "/log_") as held:
        scenario.start()
        held.wait()
        control.stop(scenario, "by hand")
        control.wait_until_ended(scenario)

    scenario.must_fail("by hand", "COULD NOT BE DONE", "stop runs of Glue job", status="ABORTED")


def test_connection_throttled_for_the_run(scenario: Scenario) -> None:
    """GetConnection is throttled for every run, after the connection was prepared; a redrive exports."""
    with scenario.faults.held(*HOLD_RUN) as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        throttled = scenario.faults.refuse("glue", "GetConnection", "ThrottlingException", times=ALWAYS)
    scenario.must_fail("definitions", STACK, "ThrottlingException")
    throttled.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario)


def test_subnet_deleted_before_the_run(scenario: Scenario) -> None:
    """The subnet of the connection is deleted after the connection was prepared; a new execution prepares it again."""
    with scenario.faults.held(*HOLD_RUN) as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        deleted = scenario.faults.refuse("ec2", "DescribeSubnets", "InvalidSubnetID.NotFound", times=ALWAYS)
    scenario.must_fail("definitions", STACK, "InvalidSubnetID.NotFound", "does not prepare the Glue connection again")
    deleted.remove()

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
