"""Redrives and new executions."""

import json

from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario

BOTH_GROUPS = ["log", "variable"]
LOGS = r'"--EXPORT_GROUP": "logs"'
ALWAYS = None


def fail_logs(scenario: Scenario) -> None:
    """Let the group logs fail and the group definitions succeed."""
    fault = scenario.faults.refuse("glue", "StartJobRun", "InvalidInputException", resource=LOGS, times=ALWAYS)
    with scenario.job({"--SNAPSHOT_HOLD_SECONDS": "1"}):  # nobody can know that a run never starts
        scenario.start(include_tables=BOTH_GROUPS)
        scenario.must_fail("logs", "InvalidInputException")
    fault.remove()


def test_redrive(scenario: Scenario) -> None:
    """A redrive runs exactly the failed group, into the same keys, and makes the same summary COMPLETE."""
    fail_logs(scenario)
    incomplete, before = (
        json.loads(json.dumps(scenario.judged[0].summary)) if scenario.judged else {},
        control.keys(scenario),
    )

    control.redrive(scenario)

    control.must_be_noticed(scenario)
    assert control.states_since_redrive(scenario) == [
        "Aggregate Retried Results",
        "Is Recovery Complete?",
        "Send Recovery Notice",
        "Export Complete",
    ]
    assert control.runs_of(scenario) == ["definitions", "logs"]
    assert scenario.judged is not None
    complete = scenario.judged[0].summary
    assert complete is not None
    assert (incomplete["status"], complete["export_id"]) == ("INCOMPLETE", incomplete["export_id"])
    assert set(before) < set(control.keys(scenario))
    assert sorted(item["key"] for item in complete["details"].values()) == control.keys(scenario)


def test_redrive_that_fails_again(scenario: Scenario) -> None:
    """The cause is not corrected before the first redrive: it is alerted again, and the second one exports."""
    fail_logs(scenario)
    # Step Functions names it as a throttled start: it is tried four times
    scenario.faults.refuse("glue", "StartJobRun", "AccessDeniedException", resource=LOGS, times=4)
    control.redrive(scenario)
    scenario.must_fail("logs", "AccessDenied", "redriven 1 times")

    control.redrive(scenario)

    control.must_be_noticed(scenario)
    assert control.runs_of(scenario) == ["definitions", "logs"]


def test_new_execution_with_the_same_input(scenario: Scenario) -> None:
    """A new execution with the input of a failed one is a new export, which leaves the old one as it is."""
    fail_logs(scenario)
    assert scenario.judged is not None
    failed, left = scenario.judged[0], control.keys(scenario)

    scenario.start(**json.loads(scenario.describe()["input"]))

    scenario.must_complete()
    new, summary = scenario.judged[0], scenario.judged[0].summary
    assert new.export_id != failed.export_id
    assert summary is not None
    assert set(left).isdisjoint(item["key"] for item in summary["details"].values())
    assert set(left) < set(control.keys(scenario))


def test_redrive_beside_another_export(scenario: Scenario) -> None:
    """A failed execution is redriven while another one exports: its run says so, and a later redrive exports."""
    fail_logs(scenario)
    old = control.arn(scenario)
    with scenario.faults.held("s3", "UploadPart", "/log_") as held:
        scenario.start(include_tables=["log"])
        held.wait()
        new = control.arn(scenario)
        scenario.follow(old)
        control.redrive(scenario)
        control.wait_until_ended(scenario)
    assert control.wait_until_ended(scenario, new) == "SUCCEEDED"
    scenario.follow(old)
    scenario.must_fail("logs", "is running: redrive this one when it has ended", new)

    control.redrive(scenario)

    control.must_be_noticed(scenario)


def test_new_execution_beside_a_redrive(scenario: Scenario) -> None:
    """An execution starts while a failed one exports again after its redrive: it names that one."""
    fail_logs(scenario)
    with scenario.faults.held("s3", "UploadPart", "/log_") as held:
        control.redrive(scenario)
        held.wait()
        second = control.start_another(scenario)
        control.wait_until_ended(scenario, second)
    control.wait_until_ended(scenario)

    control.must_be_noticed(scenario)
    control.must_yield(scenario, control.arn(scenario), second)


def test_one_object_per_table(scenario: Scenario) -> None:
    """Functions, starts and uploads are tried again, the group too: there is one object per table."""
    for function in ("PlanExport", "PrepareConnection", "AggregateResults"):
        scenario.faults.refuse("lambda", "Invoke", "ServiceException", 500, resource=function)
    scenario.faults.refuse("glue", "StartJobRun", "ThrottlingException")
    scenario.faults.slow_down("UploadPart", times=2)
    scenario.faults.kill_caller("s3", "PutObject", r"/_runs/\d+T\d+Z/logs\.json")

    scenario.start(include_tables=["log", "job"])

    scenario.must_recover("logs", "exit code 137")
    assert scenario.judged is not None
    summary = scenario.judged[0].summary
    assert summary is not None
    assert control.keys(scenario) == sorted(item["key"] for item in summary["details"].values())
    assert {key.rpartition("/")[2].rpartition("_")[0] for key in control.keys(scenario)} == {"log", "job"}
