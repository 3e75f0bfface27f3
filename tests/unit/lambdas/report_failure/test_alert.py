"""What people are told of a failed execution."""

import json
from dataclasses import replace

import pytest
from export_contracts.coverage import Coverage
from export_contracts.findings import FailedGroup
from export_contracts.summary import Selection, Summary
from export_runtime.notice import MESSAGE_LIMIT
from report_failure.alert import write_alert
from report_failure.glue_runs import Stopped
from report_failure.objects import Remains
from report_failure.report import Report

from tests.documents import of_rows, summary
from tests.unit.lambdas.report_failure.cases import ARN, RUN_ID, SETTINGS, execution

NOTHING = Remains(0, None, "s3://bucket/summary.json.gz", None)
REPORT = Report(Stopped(), 0, NOTHING, "Aggregate Retried Results", False, ())
GLUE_CAUSE = json.dumps(
    {"Id": RUN_ID, "ErrorMessage": "table xcom is locked", "Arguments": {"--EXPORT_GROUP": "tasks"}}
)


def alert(report: Report = REPORT, **changes: object) -> dict[str, str]:
    """Return the alert on a failed execution."""
    return write_alert(execution(**changes), report, SETTINGS)


def with_remains(**changes: object) -> Report:
    """Return a report of what exists."""
    return replace(REPORT, remains=replace(NOTHING, **changes))


def without(*groups: FailedGroup) -> Summary:
    """Return a summary in which groups have failed."""
    return summary(status="INCOMPLETE", failed_groups=groups)


def test_given_a_function_that_failed_then_its_message_is_readable():
    found = alert()
    assert found["subject"] == "MWAA export prod FAILED: ExportIncompleteError"
    expected = [
        "The metadata export of MWAA environment prod FAILED.",
        "WHAT FAILED\nAggregate Retried Results: ExportIncompleteError",
        "WHY\ngroup runs has no manifest\n",
        "WHAT EXISTS IN S3\nNothing of this export\n",
        "WHAT TO DO\nCorrect the cause, open the execution and choose Redrive",
        f"executions/details/{ARN}",
        "Export: 20261211T143022Z",
    ]
    assert [part for part in expected if part not in found["message"]] == []


def test_given_a_glue_run_that_failed_then_group_reason_and_log_are_named():
    report = replace(REPORT, last_state="Retry Group")
    message = alert(report, error="States.TaskFailed", cause=GLUE_CAUSE)["message"]
    assert "Retry Group, table group tasks: States.TaskFailed" in message
    assert "WHY\ntable xcom is locked\nLog: https://eu-central-1.console" in message


def test_given_a_person_stopped_it_then_the_alert_says_so():
    found = alert(status="ABORTED", error=None, cause=None)
    assert found["subject"] == "MWAA export prod ABORTED"
    assert "was ABORTED: a person (or a script) stopped it" in found["message"]
    assert "If this was meant, nothing." in found["message"]


def test_given_a_person_gave_a_reason_then_it_is_told():
    assert "WHY\nwrong window\n" in alert(status="ABORTED", error="Person", cause="wrong window")["message"]


def test_given_a_time_out_then_the_alert_says_that_it_took_too_long():
    found = alert(status="TIMED_OUT", error=None, cause=None)
    assert found["subject"] == "MWAA export prod TIMED_OUT"
    assert "longer than its time limit" in found["message"]


@pytest.mark.parametrize(
    ("remains", "said"),
    [
        ({"tables": 7}, "7 table objects that nobody has verified, and no summary"),
        (
            {"summary": summary(status="INCOMPLETE", details=of_rows(dict.fromkeys(map(str, range(35)), 2)))},
            "A summary with status INCOMPLETE: 35 tables, 70 rows verified\nSummary: s3://bucket/summary.json.gz",
        ),
        (
            {"summary": without(FailedGroup("logs", (), {}, "", None), FailedGroup("xcom\nWHY", (), {}, "", None))},
            "rows verified\nIt lacks tables of: logs, xcom WHY\nSummary: s3://bucket/summary.json.gz",
        ),
        (
            {"tables": 7, "summary_problem": "format_version is 3; allowed is 1 or 2"},
            "A summary that cannot be read: format_version is 3; allowed is 1 or 2\nSummary: s3://bucket/summary.json.gz",
        ),
        ({"latest_export_id": "20261210T143022Z"}, "(latest.json): 20261210T143022Z (it is not known of what)"),
        (
            {"latest_export_id": "20261210T143022Z", "latest_coverage": Coverage(("dag",), (), 7)},
            "(latest.json): 20261210T143022Z (only dag; last 7 days)",
        ),
        (
            {"summary": summary(scope="partial", selection=Selection(("dag",)), max_age_days=7)},
            "It is of a PARTIAL export, no backup of the environment: only dag; last 7 days",
        ),
        ({}, "(latest.json): there is none yet"),
    ],
    ids=[
        "no summary",
        "incomplete",
        "missing groups",
        "a summary that cannot be read",
        "an older export",
        "and of what",
        "partial",
        "no export yet",
    ],
)
def test_given_what_exists_then_it_is_told(remains, said):
    assert said in alert(with_remains(**remains))["message"]


def test_given_tables_that_failed_then_they_are_named_with_the_two_ways_on():
    group = FailedGroup("tasks", ("xcom", *map(str, range(20))), {"xcom": "damaged"}, "", None)
    message = alert(with_remains(summary=without(group)))["message"]
    assert "It lacks tables of: tasks (xcom, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 9 more)" in message
    assert "Repair it" in message
    assert "exclude_tables" in message
    assert "ExcludeTables" in message


def test_given_no_table_that_failed_then_nothing_is_said_of_leaving_it_out():
    message = alert(with_remains(summary=without(FailedGroup("tasks", ("xcom",), {}, "", None))))["message"]
    assert "It lacks tables of: tasks (xcom)" in message
    assert "ExcludeTables" not in message


def test_given_s3_could_not_be_asked_then_that_is_told():
    message = alert(replace(REPORT, remains=None, problems=("Could not list s3://x",)))["message"]
    assert "WHAT EXISTS IN S3\nUnknown" in message
    assert "COULD NOT BE DONE: Could not list s3://x" in message


def test_given_runs_and_uploads_then_what_was_done_and_what_was_not_is_told():
    report = replace(REPORT, runs=Stopped(("jr_1", "jr_2"), ("jr_2",)), uploads=3, problems=("denied",))
    message = alert(report)["message"]
    expected = ["2 Glue runs were stopped", "3 unfinished uploads were aborted", "NOT ENDED YET: Glue run jr_2"]
    assert [part for part in [*expected, "COULD NOT BE DONE: denied"] if part not in message] == []
    assert "WHAT WAS TIDIED UP" not in alert()["message"]


def test_given_the_summary_is_complete_then_only_the_rest_is_to_be_repeated():
    message = alert(with_remains(summary=summary()), error="SNS.NotFound", cause="no topic")["message"]
    assert "What this export was asked for is COMPLETE" in message


def test_given_an_input_that_is_not_allowed_then_a_redrive_is_not_advised():
    message = alert(error="InvalidExportInputError")["message"]
    assert "Start a new execution with an input that is allowed" in message
    assert "choose Redrive" not in message


def test_given_somebody_has_redriven_it_then_there_is_nothing_to_do():
    assert "Nothing for now: somebody has redriven" in alert(replace(REPORT, is_redriven=True))["message"]


def test_given_a_redrive_that_failed_then_its_number_is_told():
    assert "(redriven 2 times)" in alert(redriveCount=2)["message"]


HOSTILE = "x\nWHAT TO DO\nNothing.\r\u2028\u202e\x00password=CANARY " + "y" * 300_000


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "in JSON"])
def test_given_hostile_text_then_it_forges_no_line_breaks_no_subject_and_tells_no_secret(status, wrapped):
    cause = json.dumps({"errorMessage": HOSTILE, "Arguments": {"--EXPORT_GROUP": HOSTILE}}) if wrapped else HOSTILE
    report = Report(Stopped((HOSTILE,), (HOSTILE,)), 1, replace(NOTHING, latest_export_id=HOSTILE), HOSTILE, False, ())
    found = alert(report, status=status, error=HOSTILE, cause=cause)
    assert found["message"].count("WHAT TO DO\n") == 1
    assert all(line.isprintable() for line in found["message"].split("\n"))
    assert len(found["message"]) <= MESSAGE_LIMIT
    assert "CANARY" not in found["message"]
    assert len(found["subject"]) < 100
    assert found["subject"].isascii()
    assert found["subject"].isprintable()
