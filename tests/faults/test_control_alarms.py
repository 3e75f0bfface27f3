"""Nobody is told by an execution: alarms tell."""

from datetime import UTC, datetime, timedelta
from typing import Any

from local.fault_matrix import alarms, control
from local.fault_matrix.scenario import Scenario
from local.pipeline import ENVIRONMENT, STACK
from tests.faults.test_drill import drill

NO_EXPORT, UNDELIVERED, UNPROVEN = (f"{STACK}-{name}" for name in ("no-complete-export", "undelivered", "unproven"))
SMALL = ["variable"]
ALARM_AFTER = timedelta(hours=36)  # the template's default


def test_nothing_exports(scenario: Scenario) -> None:
    """No COMPLETE and full export appears for as long as AlarmAfterHours: the alarm rings, until there is one again."""
    last = datetime.now(UTC)  # the stack begins with a COMPLETE export, and earlier scenarios had others
    assert alarms.evaluate(scenario.client, NO_EXPORT, last + ALARM_AFTER - timedelta(hours=1)) == alarms.OK
    assert alarms.evaluate(scenario.client, NO_EXPORT, last + ALARM_AFTER) == alarms.ALARM
    notice = control.alarm_notice(scenario, NO_EXPORT, alarms.ALARM)
    assert "What to do: open the state machine" in notice["AlarmDescription"]

    partial = datetime.now(UTC) + ALARM_AFTER  # from then on only what follows counts
    scenario.start(include_tables=SMALL)
    scenario.must_complete()
    assert alarms.evaluate(scenario.client, NO_EXPORT, partial) == alarms.ALARM

    scenario.start()
    scenario.must_complete()

    assert alarms.evaluate(scenario.client, NO_EXPORT, datetime.now(UTC)) == alarms.OK
    control.alarm_notice(scenario, NO_EXPORT, alarms.OK)


def test_only_incomplete_exports(scenario: Scenario) -> None:
    """Exports start, but none is COMPLETE: the alarm rings all the same."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=None)
    before = datetime.now(UTC)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("definitions", "InvalidInputException")

    assert alarms.evaluate(scenario.client, NO_EXPORT, before + ALARM_AFTER) == alarms.ALARM
    control.alarm_notice(scenario, NO_EXPORT, alarms.ALARM)


def test_nothing_is_proven(scenario: Scenario) -> None:
    """No drill proves an export for AlarmAfterDaysUnproven days: the alarm rings, until there is a proof again."""
    bucket, prefix = scenario.pipeline.bucket, f"exports/{ENVIRONMENT}-backups/"
    old = (datetime.now(UTC) - timedelta(days=11)).strftime("%Y/%m/%d")
    s3 = scenario.client("s3")
    for proof in s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}_proofs/").get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=proof["Key"])
    s3.put_object(Bucket=bucket, Key=f"{prefix}{old}/old_000000.csv.gz", Body=b"")
    scenario.undo.callback(s3.delete_object, Bucket=bucket, Key=f"{prefix}{old}/old_000000.csv.gz")
    scenario.start()
    scenario.must_complete()
    # Other scenarios have told of younger proofs within this hour; CloudWatch would have let them pass.
    told = list(alarms.datapoints(scenario.client, described(scenario, UNPROVEN), datetime.now(UTC)))
    later = max(moment for moment, _ in told) + timedelta(hours=1) - timedelta(milliseconds=1)

    assert alarms.evaluate(scenario.client, UNPROVEN, later) == alarms.ALARM
    notice = control.alarm_notice(scenario, UNPROVEN, alarms.ALARM)
    assert "What to do: open the state machine demo-db-drill" in notice["AlarmDescription"]

    assert drill(scenario)["status"] == "SUCCEEDED"
    assert alarms.evaluate(scenario.client, UNPROVEN, datetime.now(UTC)) == alarms.OK
    control.alarm_notice(scenario, UNPROVEN, alarms.OK)


def described(scenario: Scenario, name: str) -> dict[str, Any]:
    [alarm] = scenario.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


def test_dead_letter(scenario: Scenario) -> None:
    """An alert cannot be delivered: the alarm on dead letters rings."""
    assert alarms.evaluate(scenario.client, UNDELIVERED, datetime.now(UTC)) == alarms.OK
    scenario.publish(password="")
    scenario.faults.throw("ReportFailure", "OddError", "an odd reason", times=None)
    scenario.start(include_tables=SMALL)

    def rings() -> bool:
        return alarms.evaluate(scenario.client, UNDELIVERED, datetime.now(UTC)) == alarms.ALARM

    scenario.wait_for(rings, "The alarm on dead letters did not ring")
    notice = control.alarm_notice(scenario, UNDELIVERED, alarms.ALARM)
    assert "What to do: look at the executions of the state machine" in notice["AlarmDescription"]
    control.must_be_unheard(scenario)
