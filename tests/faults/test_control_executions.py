"""Executions that are stopped, take too long, or meet each other."""

import json
from typing import Any

import pytest

from local.faults import control
from local.faults.scene import Scene
from local.faults.stage import OWN_TABLES

MID_UPLOAD = ("s3", "UploadPart", "/log_")
MID_COPY = 2 * 1024 * 1024
HOLD_RUN = ("glue", "StartJobRun")
WAITING = "Wait For Other Export"


def test_aborted_in_mid_export(scene: Scene) -> None:
    """A person stops the execution in mid-export, and redrives it later."""
    with scene.faults.held(*MID_UPLOAD) as held:
        scene.start()
        held.wait()
        assert scene.client("s3").list_multipart_uploads(Bucket=scene.pipeline.bucket)["Uploads"]
        control.stop(scene, "by hand")
    scene.must_fail("was ABORTED", "by hand", "Export Group", status="ABORTED")

    control.redrive(scene)

    control.must_be_noticed(scene, 0)
    assert control.runs_of(scene) == ["logs", "logs"]


def test_aborted_in_the_retry(scene: Scene) -> None:
    """A person stops the execution while the failed group runs again."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    with scene.proxy.stalled(MID_COPY) as stalled:
        scene.start()
        stalled.wait()
        control.stop(scene, "by hand")

    scene.must_fail("was ABORTED", "by hand", "Retry Group", status="ABORTED")


def test_time_limit_of_the_execution(scene: Scene) -> None:
    """The execution takes longer than its time limit."""
    with scene.proxy.stalled(MID_COPY) as stalled, control.time_limit(scene, 25):
        scene.start()
        stalled.wait()
        assert control.wait_until_ended(scene) == "TIMED_OUT"

    scene.must_fail("TIMED_OUT", "took longer than its time limit", "Export Group", status="TIMED_OUT")


@pytest.mark.parametrize(
    "given",
    [{"trigger": "schedule"}, {"trigger": "dag"}, {"trigger": "manual", "force": True}, {"max_age_in_days": 7}],
    ids=["schedule", "DAG", "force", "less"],
)
def test_second_execution_in_mid_export(scene: Scene, given: dict[str, object]) -> None:
    """Another execution starts in mid-export, and asks for no more: it names the one at work."""
    with scene.faults.held(*HOLD_RUN) as held:
        scene.start(include_tables=["variable"])
        held.wait()
        second = control.start_another(scene, **given)
        control.wait_until_ended(scene, second)
    control.wait_until_ended(scene)

    control.must_yield(scene, control.arn(scene), second)
    scene.must_complete()


@pytest.mark.parametrize("narrow", [{"include_tables": ["variable"]}, {"max_age_in_days": 7}], ids=["tables", "age"])
def test_schedule_in_mid_export_of_less(scene: Scene, narrow: dict[str, object]) -> None:
    """The schedule comes in mid-export of fewer tables or days than the stack's own: it waits, and exports."""
    with scene.faults.held(*HOLD_RUN) as held:
        scene.start(**narrow)
        held.wait()
        # Forced, because the stage has a fresh export.
        first, second = control.arn(scene), control.start_exactly(scene, {**scheduled_input(scene), "force": True})
        scene.wait_for(lambda: WAITING in control.states_since_redrive(scene, second), "The schedule does not wait")
    control.wait_until_ended(scene)

    scene.follow(second)
    scene.tables = OWN_TABLES
    scene.must_complete()

    assert "Already Exported" not in control.states_since_redrive(scene)
    assert json.loads(scene.describe(first)["output"])["scope"] == "partial"


def test_many_executions_at_once(scene: Scene) -> None:
    """Five executions start at once: one exports, the others name it."""
    scene.start(include_tables=["variable"])
    started = [control.arn(scene), *(control.start_another(scene) for _ in range(4))]

    assert {control.wait_until_ended(scene, each) for each in started} == {"SUCCEEDED"}

    outputs = {each: json.loads(scene.describe(each)["output"]) for each in started}
    [winner] = [each for each, output in outputs.items() if output["status"] == "COMPLETE"]
    for loser in set(started) - {winner}:
        control.must_yield(scene, winner, loser)
    scene.follow(winner)
    scene.must_complete()


def scheduled_input(scene: Scene) -> Any:
    """Return what the schedule of the template gives to the executions that it starts."""
    scheduler = scene.client("scheduler")
    [name] = [item["Name"] for item in scheduler.list_schedules()["Schedules"]]
    return json.loads(scheduler.get_schedule(Name=name)["Target"]["Input"])


def test_schedule_delivered_twice(scene: Scene) -> None:
    """The schedule is delivered twice at the same moment, and a third time when the export is there."""
    schedule = scheduled_input(scene)
    scene.start(**schedule, include_tables=["variable", "slot_pool"])
    second = control.start_another(scene, **schedule)
    winner = control.arn(scene)
    control.wait_until_ended(scene)
    if json.loads(scene.describe()["output"])["status"] != "COMPLETE":
        winner, second = second, winner
    control.wait_until_ended(scene, winner)
    third = control.start_another(scene, **schedule)

    control.must_yield(scene, winner, second)
    control.must_yield(scene, json.loads(scene.describe(winner)["output"])["summary_uri"], third)
    scene.follow(winner)
    scene.must_complete()


def test_dag_then_schedule(scene: Scene) -> None:
    """The schedule comes when the DAG's export is there: it names the summary, and force exports nevertheless."""
    scene.start(trigger="dag", include_tables=["variable"])
    scene.must_complete()
    summary = json.loads(scene.describe()["output"])["summary_uri"]

    scene.start(trigger="schedule", include_tables=["variable"])

    control.must_yield(scene, summary)
    scene.start(trigger="schedule", include_tables=["variable"], force=True)
    scene.must_complete()


def test_schedule_then_dag(scene: Scene) -> None:
    """The DAG comes when the schedule's export is there: it exports, because somebody may have asked for it."""
    scene.start(trigger="schedule", include_tables=["variable", "job"], force=True)
    scene.must_complete()
    summary = json.loads(scene.describe()["output"])["summary_uri"]

    scene.start(trigger="dag", include_tables=["variable", "job"])

    scene.must_complete()
    assert json.loads(scene.describe()["output"])["summary_uri"] != summary


def test_schedule_after_an_incomplete_export(scene: Scene) -> None:
    """The schedule comes when the DAG's export has failed: it exports."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=2)
    scene.start(trigger="dag", include_tables=["variable", "dag"])
    scene.must_fail("InvalidInputException")

    scene.start(trigger="schedule", include_tables=["variable", "dag"])

    scene.must_complete()
