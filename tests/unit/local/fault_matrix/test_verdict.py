"""What must be called bad is called bad, each thing by itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local.fault_matrix import verdict
from local.fault_matrix.outcome import Leftovers, Outcome

TABLES = ("log", "job")
FAILURE = {
    "subject": "MWAA export demo INCOMPLETE",
    "message": "environment demo is INCOMPLETE\nlog: gone\nWHAT TO DO\nx",
}
NOTICE = {"subject": "MWAA export demo recovered", "message": "has recovered\nWHAT TO DO\nNothing."}
END = {"subject": "MWAA export demo FAILED", "message": "environment demo FAILED.\nlog: gone\nWHAT TO DO\nRedrive"}
DAY = "exports/demo-backups/2026/12/11/"
NEW, OLD, LATER = (f"{DAY}export_summary_{time}.json.gz" for time in ("143022", "120000", "180000"))

COMPLETE = Outcome(
    execution={"status": "SUCCEEDED", "startDate": datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)},
    states=[],
    glue_runs=[],
    summary={
        "status": "COMPLETE",
        "scope": "full",
        "tables": {"log": 3, "job": 0},
        "skipped_tables": {},
        "total_rows": 3,
    },
    latest=NEW,
    latest_before=OLD,
    alerts=[],
    differences=[],
    leftovers=Leftovers(),
)
RECOVERED = replace(COMPLETE, alerts=[FAILURE, NOTICE])
FAILED = replace(COMPLETE, execution={"status": "FAILED"}, summary=None, latest=OLD, alerts=[FAILURE, END])


def summary(**changes: Any) -> dict[str, Any]:
    return {**(COMPLETE.summary or {}), **changes}


def test_given_what_must_be_then_nothing_is_wrong() -> None:
    assert verdict.of_complete(COMPLETE, TABLES) == []
    assert verdict.of_recovered(RECOVERED, TABLES, ["log: gone"]) == []
    assert verdict.of_failed(FAILED, ["log: gone"]) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"execution": {"status": "FAILED", "cause": "why"}}, "the execution is FAILED"),
        ({"summary": None}, "its summary none"),
        ({"summary": summary(status="INCOMPLETE")}, "its summary INCOMPLETE"),
        ({"summary": summary(tables={"log": 3})}, "silently missing: job"),
        ({"summary": summary(total_rows=0)}, "nothing was proven"),
        ({"summary": summary(scope="partial")}, "its scope is partial, not full"),
        ({"latest": OLD}, "latest.json names"),
        ({"latest": None}, "latest.json names None"),
        ({"latest": LATER}, "latest.json names"),
        ({"latest_before": LATER}, "latest.json names"),
        ({"alerts": [END]}, "alert though all is well"),
        ({"differences": ["a row"]}, "not what the database holds: a row"),
        ({"leftovers": Leftovers(uploads=["a key"])}, "incomplete upload of a key"),
        ({"leftovers": Leftovers(transactions=["SELECT 1"])}, "open transaction SELECT 1"),
        ({"leftovers": Leftovers(runs=["jr_1"])}, "Glue run jr_1"),
    ],
)
def test_given_an_export_that_is_not_complete_then_it_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(verdict.of_complete(replace(COMPLETE, **changes), TABLES))


def test_given_an_export_of_fewer_tables_than_the_stacks_own_then_it_must_be_partial_and_latest_json_must_stay() -> (
    None
):
    partial = replace(COMPLETE, summary=summary(scope="partial"), latest=OLD)
    assert verdict.of_complete(partial, TABLES[:1]) == []
    assert "latest.json names" in "; ".join(verdict.of_complete(replace(partial, latest=NEW), TABLES[:1]))
    assert "not partial" in "; ".join(verdict.of_complete(replace(partial, summary=summary()), TABLES[:1]))


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ([], "no alert was delivered"),
        ([NOTICE], "no alert was delivered"),
        ([FAILURE], "0 notices of recovery"),
        ([{**FAILURE, "message": "WHAT TO DO"}, NOTICE], "no alert says 'log: gone'"),
        ([{**FAILURE, "message": "log: gone"}, NOTICE], "no alert says 'what to do'"),
    ],
    ids=["silence", "only a notice", "only an alert", "no reason", "no next action"],
)
def test_given_a_recovery_that_was_not_told_then_it_is_said(alerts: list[dict[str, str]], said: str) -> None:
    assert said in "; ".join(verdict.of_recovered(replace(RECOVERED, alerts=alerts), TABLES, ["log: gone"]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"execution": {"status": "SUCCEEDED"}}, "the execution is SUCCEEDED, not FAILED"),
        ({"summary": summary()}, "there is a COMPLETE summary"),
        ({"latest": NEW}, "latest.json has moved"),
        ({"alerts": []}, "no alert was delivered"),
        ({"alerts": [FAILURE]}, "no alert says that the execution is FAILED"),
        ({"alerts": [{**END, "message": "environment demo FAILED. WHAT TO DO"}]}, "no alert says 'log: gone'"),
        ({"differences": ["a row"]}, "not what the database holds"),
        ({"leftovers": Leftovers(uploads=["a key"])}, "incomplete upload of a key"),
    ],
)
def test_given_a_failure_that_looks_fine_or_is_silent_then_it_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(verdict.of_failed(replace(FAILED, **changes), ["log: gone"]))


@pytest.mark.parametrize("judge", [verdict.of_complete, lambda seen, _: verdict.of_failed(seen, [])])
def test_given_another_end_then_both_ways_to_judge_object(judge: Callable[[Outcome, Any], list[str]]) -> None:
    aborted = replace(FAILED, execution={"status": "ABORTED"})
    assert judge(aborted, TABLES)


LATE = {
    "subject": "MWAA export demo FAILED",
    "message": "environment demo FAILED.\nlatest: why\nWHAT TO DO\nThe export itself is COMPLETE: Redrive",
}
AFTER_EXPORT = replace(COMPLETE, execution={"status": "FAILED"}, latest=OLD, alerts=[LATE])


def test_given_a_failure_after_a_complete_export_then_nothing_is_wrong() -> None:
    assert verdict.of_failed_after_export(AFTER_EXPORT, TABLES, ["latest: why"]) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"execution": {"status": "SUCCEEDED"}}, "the execution is SUCCEEDED"),
        ({"summary": None}, "the summary is none"),
        ({"summary": summary(status="INCOMPLETE")}, "the summary is INCOMPLETE"),
        ({"summary": summary(tables={"log": 3})}, "silently missing: job"),
        ({"alerts": []}, "no alert"),
        ({"alerts": [END]}, "The export itself is COMPLETE"),
        ({"differences": ["log differs"]}, "not what the database holds"),
    ],
)
def test_given_a_failure_after_an_export_that_is_not_so_then_it_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(verdict.of_failed_after_export(replace(AFTER_EXPORT, **changes), TABLES, ["latest: why"]))


ARN, WINNER = "arn:execution:1", "arn:execution:2"
OUTPUT = f'{{"status": "BUSY", "winner": "{WINNER}"}}'
YIELDED = replace(
    COMPLETE, execution={"status": "SUCCEEDED", "output": OUTPUT}, states=list(verdict.YIELDED), summary=None
)
UNHEARD = replace(FAILED, execution={"status": "FAILED", "executionArn": ARN}, alerts=[])
KEPT = [f'{{"executionArn": "{ARN}"}}']


def test_given_an_older_export_that_is_complete_after_a_newer_one_then_the_newer_stays_the_latest() -> None:
    assert verdict.of_complete(replace(COMPLETE, latest=LATER, latest_before=LATER), TABLES) == []


def test_given_quiet_ends_as_they_must_be_then_nothing_is_wrong() -> None:
    assert verdict.of_noticed(replace(COMPLETE, alerts=[NOTICE]), TABLES, 1) == []
    assert verdict.of_noticed(COMPLETE, TABLES, 0) == []
    assert verdict.of_yielded(YIELDED, WINNER) == []
    assert verdict.of_unheard(UNHEARD, KEPT) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alerts": []}, "0 notices of recovery instead of 1"),
        ({"alerts": [NOTICE, END]}, "alert though all is well"),
        ({"summary": summary(status="INCOMPLETE"), "alerts": [NOTICE]}, "its summary INCOMPLETE"),
    ],
)
def test_given_a_redrive_that_was_not_told_as_it_ended_then_it_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(verdict.of_noticed(replace(COMPLETE, **changes), TABLES, 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"execution": {"status": "FAILED"}}, "not who won"),
        ({"execution": {"status": "SUCCEEDED", "output": OUTPUT.replace(WINNER, ARN)}}, "not who won"),
        ({"states": [*verdict.YIELDED, "Prepare Connection"]}, "it went through"),
        ({"summary": summary()}, "it wrote a summary"),
        ({"alerts": [END]}, "alert though all is well"),
    ],
)
def test_given_an_execution_that_did_not_just_yield_then_it_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in "; ".join(verdict.of_yielded(replace(YIELDED, **changes), WINNER))


@pytest.mark.parametrize(
    ("changes", "kept", "said"),
    [
        ({}, ["{}"], "not in the dead-letter queue"),
        ({"execution": {"status": "SUCCEEDED", "executionArn": ARN}}, KEPT, "not FAILED"),
        ({"alerts": [END]}, KEPT, "an alert came through"),
        ({"latest": NEW}, KEPT, "without a COMPLETE summary"),
    ],
)
def test_given_a_failure_that_is_lost_then_it_is_said(changes: dict[str, Any], kept: list[str], said: str) -> None:
    assert said in "; ".join(verdict.of_unheard(replace(UNHEARD, **changes), kept))
