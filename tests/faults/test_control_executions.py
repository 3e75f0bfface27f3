"""Executions that are stopped, take too long, or meet each other."""

import json
import time
from typing import Any

import pytest

from local.fault_matrix import control
from local.fault_matrix.faulted_stack import OWN_TABLES
from local.fault_matrix.scenario import Scenario

MID_UPLOAD = ("s3", "UploadPart", "/log_")
MID_COPY = 2 * 1024 * 1024
HOLD_RUN = ("glue", "StartJobRun")
WAITING = "Wait For Other Export"


def test_aborted_in_mid_export(scenario: Scenario) -> None:
    """A person stops the execution in mid-export, and redrives it later."""
    with scenario.faults.held(*MID_UPLOAD) as held:
        scenario.start()
        held.wait()
        assert scenario.client("s3").list_multipart_uploads(Bucket=scenario.pipeline.bucket)["Uploads"]
        control.stop(scenario, "by hand")
    scenario.must_fail("was ABORTED", "by hand", "Export Group", status="ABORTED")

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)
    assert control.runs_of(scenario) == ["logs", "logs"]


def test_aborted_in_the_retry(scenario: Scenario) -> None:
    """A person stops the execution while the failed group runs again."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException")
    with scenario.proxy.stalled(MID_COPY) as stalled:
        scenario.start()
        stalled.wait()
        control.stop(scenario, "by hand")

    scenario.must_fail("was ABORTED", "by hand", "Retry Group", status="ABORTED")


def test_time_limit_of_the_execution(scenario: Scenario) -> None:
    """The execution takes longer than its time limit."""
    with scenario.proxy.stalled(MID_COPY) as stalled, control.time_limit(scenario, 25):
        scenario.start()
        stalled.wait()
        assert control.wait_until_ended(scenario) == "TIMED_OUT"

    scenario.must_fail("TIMED_OUT", "took longer than its time limit", "Export Group", status="TIMED_OUT")


@pytest.mark.parametrize(
    "given",
    [
        {"trigger": "schedule", "force": True},
        {"trigger": "dag"},
        {"trigger": "manual", "force": True},
        {"max_age_in_days": 7},
    ],
    ids=["schedule", "DAG", "force", "less"],
)
def test_second_execution_in_mid_export(scenario: Scenario, given: dict[str, object]) -> None:
    """Another execution starts in mid-export, and asks for no more: it names the one at work."""
    with scenario.faults.held(*HOLD_RUN) as held:
        scenario.start(include_tables=["variable"])
        held.wait()
        second = control.start_another(scenario, **given)
        control.wait_until_ended(scenario, second)
    control.wait_until_ended(scenario)

    control.must_yield(scenario, control.arn(scenario), second)
    scenario.must_complete()


@pytest.mark.parametrize("narrow", [{"include_tables": ["variable"]}, {"max_age_in_days": 7}], ids=["tables", "age"])
def test_schedule_in_mid_export_of_less(scenario: Scenario, narrow: dict[str, object]) -> None:
    """The schedule comes in mid-export of fewer tables or days than the stack's own: it waits, and exports."""
    with scenario.faults.held(*HOLD_RUN) as held:
        scenario.start(**narrow)
        held.wait()
        time.sleep(1)  # an export is named by the second of its start
        # Forced, because the stack has a fresh export.
        first, second = (
            control.arn(scenario),
            control.start_exactly(scenario, {**scheduled_input(scenario), "force": True}),
        )
        scenario.wait_for(
            lambda: WAITING in control.states_since_redrive(scenario, second), "The schedule does not wait"
        )
    control.wait_until_ended(scenario)

    scenario.follow(second)
    scenario.tables = OWN_TABLES
    scenario.must_complete()

    assert "Already Exported" not in control.states_since_redrive(scenario)
    assert json.loads(scenario.describe(first)["output"])["scope"] == "partial"


def test_many_executions_at_once(scenario: Scenario) -> None:
    """Five executions start at once: one exports, the others name it."""
    scenario.start(include_tables=["variable"])
    started = [control.arn(scenario), *(control.start_another(scenario) for _ in range(4))]

    assert {control.wait_until_ended(scenario, each) for each in started} == {"SUCCEEDED"}

    outputs = {each: json.loads(scenario.describe(each)["output"]) for each in started}
    [winner] = [each for each, output in outputs.items() if output["status"] == "COMPLETE"]
    for loser in set(started) - {winner}:
        control.must_yield(scenario, winner, loser)
    scenario.follow(winner)
    scenario.must_complete()


def scheduled_input(scenario: Scenario) -> Any:
    """Return what the schedule of the template gives to the executions that it starts."""
    return json.loads(control.schedule(scenario)["Target"]["Input"])


def test_schedule_delivered_twice(scenario: Scenario) -> None:
    """The schedule is delivered twice at the same moment, and a third time when the export is there."""
    schedule = scheduled_input(scenario)
    scenario.start(**schedule, include_tables=["variable", "slot_pool"])
    second = control.start_another(scenario, **schedule)
    winner = control.arn(scenario)
    control.wait_until_ended(scenario)
    if json.loads(scenario.describe()["output"])["status"] != "COMPLETE":
        winner, second = second, winner
    control.wait_until_ended(scenario, winner)
    third = control.start_another(scenario, **schedule)

    control.must_yield(scenario, winner, second)
    control.must_yield(scenario, json.loads(scenario.describe(winner)["output"])["summary_uri"], third)
    scenario.follow(winner)
    scenario.must_complete()


def test_dag_then_schedule(scenario: Scenario) -> None:
    """The schedule comes when the DAG's export is there: it names the summary, and force exports nevertheless."""
    scenario.start(trigger="dag", include_tables=["variable"])
    scenario.must_complete()
    summary = json.loads(scenario.describe()["output"])["summary_uri"]

    scenario.start(trigger="schedule", include_tables=["variable"])

    control.must_yield(scenario, summary)
    scenario.start(trigger="schedule", include_tables=["variable"], force=True)
    scenario.must_complete()


def test_schedule_then_dag(scenario: Scenario) -> None:
    """The DAG comes when the schedule's export is there: it exports, because somebody may have asked for it."""
    scenario.start(trigger="schedule", include_tables=["variable", "job"], force=True)
    scenario.must_complete()
    summary = json.loads(scenario.describe()["output"])["summary_uri"]

    scenario.start(trigger="dag", include_tables=["variable", "job"])

    scenario.must_complete()
    assert json.loads(scenario.describe()["output"])["summary_uri"] != summary


def test_schedule_after_an_incomplete_export(scenario: Scenario) -> None:
    """The schedule comes when the DAG's export has failed: it exports."""
    scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException", times=2)
    scenario.start(trigger="dag", include_tables=["variable", "dag"])
    scenario.must_fail("InvalidInputException")

    scenario.start(trigger="schedule", include_tables=["variable", "dag"])

    scenario.must_complete()
