"""How Glue documents that a run can end, and what its API refuses.

https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-exceptions.html
"""

import contextlib

import pytest

from local.aws.faults.client import FaultError
from local.faults import control
from local.faults.scene import Scene
from local.pipeline import STACK

ALWAYS = None
SMALL = ["variable"]
MID_COPY = 2 * 1024 * 1024
HOLD_RUN = ("glue", "StartJobRun")
SECOND_RUN_SECONDS = 60.0
LOGS = r'"--EXPORT_GROUP": "logs"'


@pytest.mark.parametrize("state", ["ERROR", "EXPIRED"])
def test_run_ends_as(scene: Scene, state: str) -> None:
    """A run ends in a state that is neither success nor failure, and Glue gives no reason."""
    scene.faults.skip_glue_run("definitions", state)

    scene.start(include_tables=SMALL)

    scene.must_recover("definitions", f"the Glue run ended as {state}")


def test_run_stopped_by_a_person(scene: Scene) -> None:
    """A person stops a run in mid-COPY: its group runs again."""
    scene.start()
    with scene.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        [run] = scene.active_runs()
        scene.client("glue").batch_stop_job_run(JobName=STACK, JobRunIds=[run["Id"]])

    scene.must_recover("logs", "the Glue run ended as STOPPED")


def test_run_waits(scene: Scene) -> None:
    """A run waits for capacity for a while (WAITING)."""
    waiting = scene.faults.amend("glue", "GetJobRun", "JobRun", {"JobRunState": "WAITING"}, times=3)

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert waiting.hits == 3


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalServiceException", 500), ("OperationTimeoutException", 400), ("EntityNotFoundException", 400)],
)
def test_run_never_starts(scene: Scene, code: str, status: int) -> None:
    """Glue cannot start any run: it is broken, busy, or has no such job."""
    scene.faults.refuse("glue", "StartJobRun", code, status, times=ALWAYS)

    scene.start(include_tables=SMALL)

    scene.must_fail("definitions", f"Glue.{code}")


def test_run_starts_without_an_answer(scene: Scene) -> None:
    """Glue starts a run, its answer is lost, and a second run of the same group starts beside it."""
    lost = scene.faults.refuse("glue", "StartJobRun", "InternalServiceException", 500, after=True)

    scene.start()

    scene.must_complete()
    assert lost.hits == 1
    assert control.runs_of(scene) == ["logs", "logs"]


def test_run_that_goes_on_beside_a_redrive(scene: Scene) -> None:
    """Nobody could stop the run of an aborted execution: the redrive's run waits for it, so that none overwrites."""
    scene.faults.refuse("glue", "BatchStopJobRun", "AccessDeniedException", times=ALWAYS)
    with scene.faults.held("s3", "PutObject", "/variable_", times=1) as held:
        scene.start(include_tables=SMALL)
        held.wait()
        control.stop(scene, "by hand")
        control.must_be_told(scene, "was ABORTED", "COULD NOT BE DONE", "stop runs of Glue job")
        scene.execute("INSERT INTO variable (key, val, is_encrypted) VALUES ('new', '', false)")
        control.redrive(scene)
        with contextlib.suppress(FaultError):  # the execution does not end, since the second run waits
            scene.wait_for(lambda: scene.describe()["status"] != "RUNNING", "Waits", seconds=SECOND_RUN_SECONDS)
        scene.execute("DELETE FROM variable WHERE key = 'new'")  # what both have written is then what is there

    control.must_be_noticed(scene, 0)
    assert scene.judged is not None
    assert scene.judged[0].summary is not None
    for table in scene.judged[0].summary["details"].values():
        head = scene.client("s3").head_object(Bucket=scene.pipeline.bucket, Key=table["key"], ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == table["checksum_sha256"]


def test_script_deleted(scene: Scene) -> None:
    """Somebody deleted the job's script: the alert names it, and a redrive exports once it is back."""
    s3 = scene.client("s3")
    location = scene.client("glue").get_job(JobName=STACK)["Job"]["Command"]["ScriptLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    script = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    scene.undo.callback(s3.put_object, Bucket=bucket, Key=key, Body=script)
    scene.start(include_tables=SMALL)
    scene.must_fail("definitions", "NoSuchKey", key)
    s3.put_object(Bucket=bucket, Key=key, Body=script)

    control.redrive(scene)

    control.must_be_noticed(scene)


def test_runs_may_not_be_looked_at_while_a_sibling_is_waited_for(scene: Scene) -> None:
    """GetJobRuns is refused to the run that keeps the snapshot for a sibling that never starts: its bound holds."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException", resource=LOGS)
    refused = scene.faults.refuse("glue", "GetJobRuns", "AccessDeniedException", times=ALWAYS)

    with scene.job({"--SNAPSHOT_HOLD_SECONDS": "5"}):
        scene.start(include_tables=["log", "variable"])
        scene.must_recover("1 table group failed (logs)", "InvalidInputException")

    assert refused.hits > 0


def test_runs_may_not_be_looked_at_when_redriven(scene: Scene) -> None:
    """GetJobRuns is throttled when a redrive finds the lock of another export: it does not export beside it."""
    failing = scene.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=ALWAYS)
    scene.start(include_tables=SMALL)
    scene.must_fail("definitions", "InvalidInputException")
    old = control.arn(scene)
    failing.remove()
    scene.start(include_tables=["slot_pool"])
    control.wait_until_ended(scene)
    scene.follow(old)
    scene.tables = SMALL
    throttled = scene.faults.refuse("glue", "GetJobRuns", "ThrottlingException", times=ALWAYS)
    control.redrive(scene)
    scene.must_fail("holds the lock", "Glue does not say whether it is running", "redrive this one when it has ended")
    throttled.remove()

    control.redrive(scene)

    control.must_be_noticed(scene)


def test_runs_may_not_be_stopped(scene: Scene) -> None:
    """A person stops the execution, and nobody may stop its run (BatchStopJobRun refused): the alert says so."""
    scene.faults.refuse("glue", "BatchStopJobRun", "AccessDeniedException", times=ALWAYS)
    with scene.faults.held("s3", "UploadPart", "/log_") as held:
        scene.start()
        held.wait()
        control.stop(scene, "by hand")
        control.wait_until_ended(scene)

    scene.must_fail("by hand", "COULD NOT BE DONE", "stop runs of Glue job", status="ABORTED")


def test_connection_throttled_for_the_run(scene: Scene) -> None:
    """GetConnection is throttled for every run, after the connection was prepared; a redrive exports."""
    with scene.faults.held(*HOLD_RUN) as held:
        scene.start(include_tables=SMALL)
        held.wait()
        throttled = scene.faults.refuse("glue", "GetConnection", "ThrottlingException", times=ALWAYS)
    scene.must_fail("definitions", STACK, "ThrottlingException")
    throttled.remove()

    control.redrive(scene)

    control.must_be_noticed(scene)


def test_subnet_deleted_before_the_run(scene: Scene) -> None:
    """The subnet of the connection is deleted after the connection was prepared; a new execution prepares it again."""
    with scene.faults.held(*HOLD_RUN) as held:
        scene.start(include_tables=SMALL)
        held.wait()
        deleted = scene.faults.refuse("ec2", "DescribeSubnets", "InvalidSubnetID.NotFound", times=ALWAYS)
    scene.must_fail("definitions", STACK, "InvalidSubnetID.NotFound", "Or start a new execution")
    deleted.remove()

    scene.start(include_tables=SMALL)

    scene.must_complete()
