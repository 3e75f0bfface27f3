"""Redrives and new executions."""

import json

from local.faults import control
from local.faults.scene import Scene

BOTH_GROUPS = ["log", "variable"]
LOGS = r'"--EXPORT_GROUP": "logs"'
ALWAYS = None


def fail_logs(scene: Scene) -> None:
    """Let the group logs fail and the group definitions succeed."""
    fault = scene.faults.refuse("glue", "StartJobRun", "InvalidInputException", resource=LOGS, times=ALWAYS)
    with scene.job({"--SNAPSHOT_HOLD_SECONDS": "1"}):  # nobody can know that a run never starts
        scene.start(include_tables=BOTH_GROUPS)
        scene.must_fail("logs", "InvalidInputException")
    fault.remove()


def test_redrive(scene: Scene) -> None:
    """A redrive runs exactly the failed group, into the same keys, and makes the same summary COMPLETE."""
    fail_logs(scene)
    incomplete, before = json.loads(json.dumps(scene.judged[0].summary)) if scene.judged else {}, control.keys(scene)

    control.redrive(scene)

    control.must_be_noticed(scene)
    assert control.states_since_redrive(scene) == [
        "Aggregate Retried Results",
        "Is Recovery Complete?",
        "Send Recovery Notice",
        "Export Complete",
    ]
    assert control.runs_of(scene) == ["definitions", "logs"]
    assert scene.judged is not None
    complete = scene.judged[0].summary
    assert complete is not None
    assert (incomplete["status"], complete["export_id"]) == ("INCOMPLETE", incomplete["export_id"])
    assert set(before) < set(control.keys(scene))
    assert sorted(item["key"] for item in complete["details"].values()) == control.keys(scene)


def test_redrive_that_fails_again(scene: Scene) -> None:
    """The cause is not corrected before the first redrive: it is alerted again, and the second one exports."""
    fail_logs(scene)
    scene.faults.refuse("glue", "StartJobRun", "AccessDeniedException", resource=LOGS)
    control.redrive(scene)
    scene.must_fail("logs", "AccessDenied", "redriven 1 times")

    control.redrive(scene)

    control.must_be_noticed(scene)
    assert control.runs_of(scene) == ["definitions", "logs"]


def test_new_execution_with_the_same_input(scene: Scene) -> None:
    """A new execution with the input of a failed one is a new export, which leaves the old one as it is."""
    fail_logs(scene)
    assert scene.judged is not None
    failed, left = scene.judged[0], control.keys(scene)

    scene.start(**json.loads(scene.describe()["input"]))

    scene.must_complete()
    new, summary = scene.judged[0], scene.judged[0].summary
    assert new.export_id != failed.export_id
    assert summary is not None
    assert set(left).isdisjoint(item["key"] for item in summary["details"].values())
    assert set(left) < set(control.keys(scene))


def test_redrive_beside_another_export(scene: Scene) -> None:
    """A failed execution is redriven while another one exports: its run says so, and a later redrive exports."""
    fail_logs(scene)
    old = control.arn(scene)
    with scene.faults.held("s3", "UploadPart", "/log_") as held:
        scene.start(include_tables=["log"])
        held.wait()
        new = control.arn(scene)
        scene.follow(old)
        control.redrive(scene)
        control.wait_until_ended(scene)
    assert control.wait_until_ended(scene, new) == "SUCCEEDED"
    scene.follow(old)
    scene.must_fail("logs", "is running: redrive this one when it has ended", new)

    control.redrive(scene)

    control.must_be_noticed(scene)


def test_new_execution_beside_a_redrive(scene: Scene) -> None:
    """An execution starts while a failed one exports again after its redrive: it names that one."""
    fail_logs(scene)
    with scene.faults.held("s3", "UploadPart", "/log_") as held:
        control.redrive(scene)
        held.wait()
        second = control.start_another(scene)
        control.wait_until_ended(scene, second)
    control.wait_until_ended(scene)

    control.must_be_noticed(scene)
    control.must_yield(scene, control.arn(scene), second)


def test_one_object_per_table(scene: Scene) -> None:
    """Functions, starts and uploads are tried again, the group too: there is one object per table."""
    for function in ("PlanExport", "PrepareConnection", "AggregateResults"):
        scene.faults.refuse("lambda", "Invoke", "ServiceException", 500, resource=function)
    scene.faults.refuse("glue", "StartJobRun", "ThrottlingException")
    scene.faults.slow_down("UploadPart", times=2)
    scene.faults.kill_caller("s3", "PutObject", r"/_runs/\d+T\d+Z/logs\.json")

    scene.start(include_tables=["log", "job"])

    scene.must_recover("logs", "exit code 137")
    assert scene.judged is not None
    summary = scene.judged[0].summary
    assert summary is not None
    assert control.keys(scene) == sorted(item["key"] for item in summary["details"].values())
    assert {key.rpartition("/")[2].rpartition("_")[0] for key in control.keys(scene)} == {"log", "job"}
