"""Faults of the Glue runs."""

import pytest

from local.faults.runs import kill_glue_run
from local.faults.scene import Scene

MID_COPY = 2 * 1024 * 1024
MANIFEST = r"/_runs/\d+T\d+Z/logs\.json"
ALWAYS = None


def test_run_killed(scene: Scene) -> None:
    """A run is killed (SIGKILL) in mid-COPY, its sibling goes on."""
    scene.start(include_tables=["log", "variable"])

    with scene.proxy.stalled(MID_COPY) as stalled:
        stalled.wait()
        run = next(run for run in scene.active_runs() if run["Arguments"]["--EXPORT_GROUP"] == "logs")
        assert kill_glue_run(run["Id"])

    scene.must_recover("1 table group failed (logs)", "exit code 137")


@pytest.mark.representative
def test_driver_dies_after_upload(scene: Scene) -> None:
    """A run's driver dies when its parts are uploaded."""
    scene.faults.kill_caller("s3", "CompleteMultipartUpload", "/log_")

    scene.start()

    scene.must_recover("logs", "exit code 137")


def test_driver_always_dies_after_upload(scene: Scene) -> None:
    """Every run's driver dies when its parts are uploaded."""
    scene.faults.kill_caller("s3", "CompleteMultipartUpload", "/log_", times=ALWAYS)

    scene.start()

    scene.must_fail("logs", "exit code 137")


def test_run_times_out(scene: Scene) -> None:
    """A run takes longer than its time-out."""
    with scene.job(Timeout=1), scene.proxy.stalled(MID_COPY):
        scene.start()
        scene.wait_for_run("TIMEOUT")

    scene.must_recover("logs", "timeout of 1 minutes")


def test_no_manifest(scene: Scene) -> None:
    """A run reports success but wrote no manifest."""
    scene.faults.skip_glue_run("logs")

    scene.start()

    scene.must_recover("logs", "manifest", "does not exist")


def test_never_a_manifest(scene: Scene) -> None:
    """Every run reports success but writes no manifest."""
    scene.faults.skip_glue_run("logs", times=ALWAYS)

    scene.start()

    scene.must_fail("logs", "manifest", "does not exist")


def test_truncated_manifest(scene: Scene) -> None:
    """A manifest is truncated."""
    scene.faults.truncate("PutObject", MANIFEST)

    scene.start()

    scene.must_recover("logs", "manifest", "is not JSON")


def test_executor_dies_once(scene: Scene) -> None:
    """An executor's task dies once."""
    died = scene.faults.kill_caller("s3", "UploadPart", "/log_")

    scene.start()

    scene.must_complete()
    assert died.hits == 1


def test_executor_always_dies(scene: Scene) -> None:
    """An executor's task dies whenever it is tried."""
    scene.faults.kill_caller("s3", "UploadPart", "/log_", times=ALWAYS)

    scene.start()

    scene.must_fail("logs", "log: chunk 1 of 1", "worker exited unexpectedly")


@pytest.mark.parametrize("code", ["ConcurrentRunsExceededException", "ThrottlingException"])
def test_start_refused_at_first(scene: Scene, code: str) -> None:
    """Glue refuses to start a run, twice."""
    refused = scene.faults.refuse("glue", "StartJobRun", code, times=2)

    scene.start()

    scene.must_complete()
    assert refused.hits == 2


@pytest.mark.parametrize("code", ["ConcurrentRunsExceededException", "ThrottlingException"])
def test_start_always_refused(scene: Scene, code: str) -> None:
    """Glue refuses to start any run."""
    scene.faults.refuse("glue", "StartJobRun", code, times=ALWAYS)

    scene.start()

    scene.must_fail("logs", f"Glue.{code}")
