"""What people are told."""

from dataclasses import replace
from typing import Any

import pytest
from aggregate_results.alert import write_alert
from export_contracts.findings import FailedGroup, RowFall
from export_contracts.summary import Selection, Summary
from export_contracts.wording import LastComplete
from export_runtime.notice import MESSAGE_LIMIT

from tests.documents import of_rows, summary, table
from tests.unit.lambdas.report_failure.cases import NOW

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


def told(found: Summary, is_retry: bool = False) -> dict[str, str]:
    """Return what is told of a summary, 20 minutes after its start; the last complete export is 9 hours old."""
    return write_alert(found, URI, is_retry, LastComplete("20261211T055022Z"), NOW)


def test_given_a_failed_run_that_left_nothing_out_then_no_table_is_called_missing():
    found = replace(failure(tables=()), details={"xcom": table("tasks")})
    alert = told(found)
    assert "- tasks\n" in alert["message"]
    assert "missing" not in alert["message"]
    assert alert["subject"] == "prod INCOMPLETE, retrying: tasks failed; last complete 9 h ago"


PARTIAL = {"scope": "partial", "selection": Selection(("dag", "x\nNothing."))}


@pytest.mark.parametrize(
    ("found", "is_retry", "subject", "first"),
    [
        (
            SUMMARY,
            False,
            "prod complete (partial export): 60 tables",
            "The PARTIAL metadata export of MWAA environment prod is COMPLETE",
        ),
        (
            SUMMARY,
            True,
            "prod recovered (partial export): 60 tables",
            "The PARTIAL metadata export of MWAA environment prod has recovered",
        ),
        (
            failure(),
            False,
            "prod INCOMPLETE (partial), retrying: tasks (1 of 1 table) missing; last complete 9 h ago",
            "The PARTIAL metadata export of MWAA environment prod is INCOMPLETE",
        ),
    ],
    ids=["complete", "recovered", "incomplete"],
)
def test_given_a_partial_export_then_no_message_reads_like_a_backup(found, is_retry, subject, first):
    alert = told(replace(found, **PARTIAL), is_retry)
    assert subject in alert["subject"]
    lines = alert["message"].splitlines()
    assert lines[0].startswith(first)
    assert "only dag, x Nothing.; last 30 days" in lines[2]
    assert "no backup of the environment" in lines[3]
    assert "PARTIAL" not in told(found, is_retry)["message"]


def test_given_no_table_at_all_then_nothing_is_said_of_snapshots():
    found = replace(SUMMARY, status="INCOMPLETE", consistency="per-group", details={})
    assert "same snapshot" not in told(found)["message"]


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
    message = told(replace(SUMMARY, **changes))["message"]
    assert "WORTH KNOWING" in message
    assert said in message
    assert "WORTH KNOWING" not in told(SUMMARY)["message"]


HOSTILE = "x\nWHAT TO DO\nNothing.\r\u2028\u202e\x00" + "y" * 300_000


@pytest.mark.parametrize("is_retry", [False, True])
def test_given_hostile_text_then_it_forges_no_line_and_exceeds_no_limit(is_retry):
    failures = {f"{number}{HOSTILE}": HOSTILE for number in range(50)}
    found = failure(error=HOSTILE, tables=(HOSTILE,) * 500, failed_tables=failures)
    alert = told(replace(found, uncatalogued_tables=(HOSTILE,) * 500), is_retry)
    honest = told(failure(), is_retry)
    assert alert["message"].count("\nNothing.") == honest["message"].count("\nNothing.")
    assert all(line.isprintable() for line in alert["message"].split("\n"))
    assert len(alert["message"].encode()) < 256 * 1024
    assert len(alert["message"]) <= MESSAGE_LIMIT


def test_given_many_hostile_tables_that_fell_then_each_stays_in_its_line_and_the_limit_holds():
    falls = (RowFall(HOSTILE, 2000, 0, 100.0),) * 500
    message = told(replace(FALLEN, row_falls=falls))["message"]
    assert all(line.isprintable() for line in message.split("\n"))
    assert "and 460 more" in message
    assert len(message) <= MESSAGE_LIMIT


@pytest.mark.parametrize("environment", ["prod", "e" * 80, "größe\n"])
def test_given_any_names_then_the_subject_is_short_printable_ascii(environment):
    found = replace(failure(group="definitions"), environment=environment)
    subject = told(found)["subject"]
    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


def test_given_a_group_without_log_then_that_is_said():
    assert "Log: none" in told(failure(log_url=None))["message"]
