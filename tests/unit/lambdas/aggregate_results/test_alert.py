"""What people are told."""

from dataclasses import replace
from typing import Any

import pytest
from aggregate_results.alert import write_alert
from export_contracts.findings import FailedGroup, RowFall
from export_contracts.summary import Selection, Summary
from export_runtime.notice import MESSAGE_LIMIT

from tests.documents import ARN, of_rows, summary, table

URI = "s3://bucket/summary.json.gz"
SUMMARY = summary(details=of_rows(dict.fromkeys(map(str, range(60)), 200) | {"0": 545}, "runs"))
FALLEN = replace(
    SUMMARY,
    compared_with="s3://bucket/previous.json.gz",
    row_falls=(RowFall("dag_run", 2000, 20, 99.0),),
)


def failure(**changes: Any) -> Summary:
    """Return a summary with one failed group."""
    group = replace(FailedGroup("tasks", ("xcom",), {}, "disk full", "https://log"), **changes)
    return replace(SUMMARY, status="INCOMPLETE", failed_groups=(group,))


def test_given_a_failure_then_the_alert_says_what_why_what_next_and_what_to_do():
    alert = write_alert(failure(), URI, is_retry=False)
    assert alert["subject"] == "MWAA export prod INCOMPLETE: tasks failed"
    expected = [
        "is INCOMPLETE: 1 table group failed (tasks)",
        "tasks: missing 1 table (xcom)",
        "disk full",
        "https://log",
        "Redrive",
    ]
    expected += ["WHAT HAPPENS NEXT", "WHAT TO DO", URI, f"executions/details/{ARN}", "run once more"]
    assert [part for part in expected if part not in alert["message"]] == []


def test_given_a_table_that_failed_then_the_alert_names_it_its_error_and_the_two_ways_on():
    error = "cannot export the table xcom: permission denied for table xcom (SQLSTATE 42501)"
    details = {"dag_run": table("tasks"), "dag": table("x")}
    found = replace(failure(failed_tables={"xcom": error}), details=details)
    message = write_alert(found, URI, is_retry=False)["message"]
    expected = [f"  xcom: {error}", "Exported and verified all the same: 1 table of this group", "Repair it", "redrive"]
    expected += ["exclude_tables", "ExcludeTables", "docs/troubleshooting.md"]
    assert [part for part in expected if part not in message] == []
    assert "ExcludeTables" not in write_alert(failure(), URI, is_retry=False)["message"]


def test_given_a_failed_run_that_left_nothing_out_then_no_table_is_called_missing():
    found = replace(failure(tables=()), details={"xcom": table("tasks")})
    message = write_alert(found, URI, is_retry=False)["message"]
    assert "- tasks\n" in message
    assert "missing 0" not in message


def test_given_a_recovery_then_the_notice_says_so():
    alert = write_alert(SUMMARY, URI, is_retry=True)
    assert alert["subject"] == "MWAA export prod recovered"
    assert "COMPLETE after a retry" in alert["message"]
    assert "60 tables, 12345 rows" in alert["message"]


def test_given_a_complete_export_then_there_is_nothing_to_do():
    assert "WHAT TO DO\nNothing." in write_alert(SUMMARY, URI, is_retry=False)["message"]


PARTIAL = {"scope": "partial", "selection": Selection(("dag", "x\nNothing."))}


@pytest.mark.parametrize(
    ("found", "is_retry", "subject", "first"),
    [
        (
            SUMMARY,
            False,
            "complete (partial export)",
            "The PARTIAL metadata export of MWAA environment prod is COMPLETE",
        ),
        (
            SUMMARY,
            True,
            "recovered (partial export)",
            "The PARTIAL metadata export of MWAA environment prod has recovered",
        ),
        (
            failure(),
            False,
            "INCOMPLETE: tasks failed",
            "The PARTIAL metadata export of MWAA environment prod is INCOMPLETE",
        ),
    ],
    ids=["complete", "recovered", "incomplete"],
)
def test_given_a_partial_export_then_no_message_reads_like_a_backup(found, is_retry, subject, first):
    alert = write_alert(replace(found, **PARTIAL), URI, is_retry)
    assert subject in alert["subject"]
    lines = alert["message"].splitlines()
    assert lines[0].startswith(first)
    assert "only dag, x Nothing.; last 30 days" in lines[1]
    assert "no backup of the environment" in lines[2]
    assert "PARTIAL" not in write_alert(found, URI, is_retry)["message"]


def test_given_no_table_at_all_then_nothing_is_said_of_snapshots():
    found = replace(SUMMARY, status="INCOMPLETE", consistency="per-group", details={})
    assert "same snapshot" not in write_alert(found, URI, is_retry=False)["message"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"uncatalogued_tables": ("_xcom_archive",)}, "exported too: _xcom_archive"),
        ({"orphans": {"dag_run_note": 3}}, "Rows of dag_run_note refer to rows that do not exist"),
        ({"unread_evidence": ("xcom",)}, "xcom could not be read"),
        ({"consistency": "per-group"}, "Not all tables show the same snapshot"),
    ],
    ids=["unknown tables", "orphans", "unread evidence", "several snapshots"],
)
def test_given_something_odd_then_it_is_worth_knowing(changes, said):
    message = write_alert(replace(SUMMARY, **changes), URI, is_retry=False)["message"]
    assert "WORTH KNOWING" in message
    assert said in message
    assert "WORTH KNOWING" not in write_alert(SUMMARY, URI, is_retry=False)["message"]


HOSTILE = "x\nWHAT TO DO\nNothing.\r\u2028\u202e\x00" + "y" * 300_000


@pytest.mark.parametrize("is_retry", [False, True])
def test_given_hostile_text_then_it_forges_no_line_and_exceeds_no_limit(is_retry):
    failures = {f"{number}{HOSTILE}": HOSTILE for number in range(50)}
    found = failure(error=HOSTILE, tables=(HOSTILE,) * 500, failed_tables=failures)
    alert = write_alert(replace(found, uncatalogued_tables=(HOSTILE,) * 500), URI, is_retry)
    honest = write_alert(failure(), URI, is_retry)
    assert alert["message"].count("\nNothing.") == honest["message"].count("\nNothing.")
    assert all(line.isprintable() for line in alert["message"].split("\n"))
    assert len(alert["message"].encode()) < 256 * 1024
    assert len(alert["message"]) <= MESSAGE_LIMIT


@pytest.mark.parametrize(
    ("is_retry", "about", "verdict"),
    [(False, "complete", "is COMPLETE, but 1 table"), (True, "recovered", "COMPLETE after a retry, but 1 table")],
    ids=["warning", "recovery notice"],
)
def test_given_rows_that_fell_then_table_numbers_both_summaries_and_what_to_check_are_told(is_retry, about, verdict):
    alert = write_alert(FALLEN, URI, is_retry)
    assert alert["subject"] == f"MWAA export prod {about}: rows fell"
    expected = [verdict, "- dag_run: 2000 -> 20 rows (-99.0 %)", FALLEN.compared_with, URI, "airflow db clean"]
    assert [part for part in [*expected, "RowFallPercent"] if part not in alert["message"]] == []
    assert "Nothing." not in alert["message"]


def test_given_many_hostile_tables_that_fell_then_each_stays_in_its_line_and_the_limit_holds():
    falls = (RowFall(HOSTILE, 2000, 0, 100.0),) * 500
    message = write_alert(replace(FALLEN, row_falls=falls), URI, is_retry=False)["message"]
    assert all(line.isprintable() for line in message.split("\n"))
    assert "and 460 more" in message
    assert len(message) <= MESSAGE_LIMIT


@pytest.mark.parametrize("environment", ["prod", "e" * 80, "größe\n"])
def test_given_any_names_then_the_subject_is_short_printable_ascii(environment):
    found = replace(failure(group="definitions"), environment=environment)
    subject = write_alert(found, URI, is_retry=False)["subject"]
    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


def test_given_a_group_without_log_then_that_is_said():
    assert "Log: none" in write_alert(failure(log_url=None), URI, is_retry=False)["message"]
