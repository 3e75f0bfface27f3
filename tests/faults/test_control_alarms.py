"""Nobody is told by an execution: alarms tell."""

from datetime import UTC, datetime, timedelta

from local.faults import alarms, control
from local.faults.scene import Scene
from local.pipeline import STACK

NO_EXPORT, UNDELIVERED = f"{STACK}-no-complete-export", f"{STACK}-undelivered"
SMALL = ["variable"]
ALARM_AFTER = timedelta(hours=36)  # the template's default


def test_nothing_exports(scene: Scene) -> None:
    """No COMPLETE and full export appears for as long as AlarmAfterHours: the alarm rings, until there is one again."""
    last = datetime.now(UTC)  # the stage begins with a COMPLETE export, and earlier scenarios had others
    assert alarms.evaluate(scene.client, NO_EXPORT, last + ALARM_AFTER - timedelta(hours=1)) == alarms.OK
    assert alarms.evaluate(scene.client, NO_EXPORT, last + ALARM_AFTER) == alarms.ALARM
    notice = control.alarm_notice(scene, NO_EXPORT, alarms.ALARM)
    assert "What to do: open the state machine" in notice["AlarmDescription"]

    partial = datetime.now(UTC) + ALARM_AFTER  # from then on only what follows counts
    scene.start(include_tables=SMALL)
    scene.must_complete()
    assert alarms.evaluate(scene.client, NO_EXPORT, partial) == alarms.ALARM

    scene.start()
    scene.must_complete()

    assert alarms.evaluate(scene.client, NO_EXPORT, datetime.now(UTC)) == alarms.OK
    control.alarm_notice(scene, NO_EXPORT, alarms.OK)


def test_only_incomplete_exports(scene: Scene) -> None:
    """Exports start, but none is COMPLETE: the alarm rings all the same."""
    scene.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=None)
    before = datetime.now(UTC)
    scene.start(include_tables=SMALL)
    scene.must_fail("definitions", "InvalidInputException")

    assert alarms.evaluate(scene.client, NO_EXPORT, before + ALARM_AFTER) == alarms.ALARM
    control.alarm_notice(scene, NO_EXPORT, alarms.ALARM)


def test_dead_letter(scene: Scene) -> None:
    """An alert cannot be delivered: the alarm on dead letters rings."""
    assert alarms.evaluate(scene.client, UNDELIVERED, datetime.now(UTC)) == alarms.OK
    scene.publish(password="")
    scene.faults.throw("ReportFailure", "OddError", "an odd reason", times=None)
    scene.start(include_tables=SMALL)

    def rings() -> bool:
        return alarms.evaluate(scene.client, UNDELIVERED, datetime.now(UTC)) == alarms.ALARM

    scene.wait_for(rings, "The alarm on dead letters did not ring")
    notice = control.alarm_notice(scene, UNDELIVERED, alarms.ALARM)
    assert "What to do: look at the executions of the state machine" in notice["AlarmDescription"]
    control.must_be_unheard(scene)
