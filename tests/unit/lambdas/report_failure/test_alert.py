"""What people are told of a failed execution."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from export_contracts.coverage import Coverage
from export_contracts.findings import FailedGroup
from export_contracts.layout import export_id
from export_contracts.summary import Selection, Summary
from export_runtime.notice import MESSAGE_LIMIT
from report_failure.alert import write_alert
from report_failure.glue_runs import Stopped
from report_failure.objects import Remains
from report_failure.report import Report

from tests.documents import summary
from tests.unit.lambdas.report_failure.cases import NOW, SETTINGS, execution

NOTHING = Remains(0, None, "s3://bucket/summary.json.gz", None)
REPORT = Report(Stopped(), 0, NOTHING, "Aggregate Retried Results", False, ())


def alert(report: Report = REPORT, **changes: object) -> dict[str, str]:
    """Return the alert on a failed execution."""
    return write_alert(execution(**changes), report, SETTINGS, NOW)


def with_remains(**changes: object) -> Report:
    """Return a report of what exists."""
    return replace(REPORT, remains=replace(NOTHING, **changes))


def without(*groups: FailedGroup) -> Summary:
    """Return a summary in which groups have failed."""
    return summary(status="INCOMPLETE", failed_groups=groups)


@pytest.mark.parametrize(
    ("remains", "said"),
    [
        ({"tables": 7}, "7 table objects that nobody has verified, and no summary"),
        (
            {"summary": without(FailedGroup("logs", (), {}, "", None), FailedGroup("xcom\nWHY", (), {}, "", None))},
            "3 rows verified\nIt lacks tables of: logs, xcom WHY\nSummary: s3://bucket/summary.json.gz",
        ),
        (
            {"tables": 7, "summary_problem": "format_version is 3; allowed is 1 or 2"},
            "A summary that cannot be read: format_version is 3; allowed is 1 or 2\nSummary: s3://bucket/summary.json.gz",
        ),
        (
            {"latest_export_id": "20261210T143022Z", "latest_coverage": Coverage(("dag",), (), 7)},
            "(latest.json): 20261210T143022Z (only dag; last 7 days)",
        ),
        (
            {"summary": summary(scope="partial", selection=Selection(("dag",)), max_age_days=7)},
            "It is of a PARTIAL export, no backup of the environment: only dag; last 7 days",
        ),
    ],
    ids=["no summary", "missing groups", "a summary that cannot be read", "of what the last one is", "partial"],
)
def test_given_what_exists_then_it_is_told(remains, said):
    assert said in alert(with_remains(**remains))["message"]


def test_given_more_tables_than_fit_then_their_number_is_told():
    group = FailedGroup("tasks", ("xcom", *map(str, range(20))), {"xcom": "damaged"}, "", None)
    message = alert(with_remains(summary=without(group)))["message"]
    assert "It lacks tables of: tasks (xcom, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 9 more)" in message


def test_given_a_redrive_that_failed_then_its_number_is_told():
    assert "(redriven 2 times)" in alert(redriveCount=2)["message"]


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(hours=9), "Yes, until 2026-12-12 17:50 UTC"),
        (timedelta(days=3), "No: the last complete"),
        (None, "No"),
    ],
    ids=str,
)
def test_given_the_age_of_the_last_complete_export_then_it_decides_whether_it_can_wait(age, said):
    last = export_id(NOW - age) if age else None
    assert f"CAN IT WAIT\n{said}" in alert(with_remains(latest_export_id=last))["message"]


@pytest.mark.parametrize("error", ["InvalidExportInputError", "TableNotInDatabaseError"])
def test_given_a_mistake_in_the_input_then_a_redrive_is_not_advised(error):
    message = alert(error=error)["message"]
    assert "start a new export" in message
    assert "mwaa-metadata-export redrive" not in message


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


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("Connection prod-metadata-export not found", True),
        ("InvalidSubnetID.NotFound: subnet-a", True),
        ("The Security Group sg-1 does not exist", True),
        ("connection to server at 10.0.0.1 failed", False),
        ("the run of prod-metadata-export failed", False),
        ("", False),
    ],
)
def test_given_a_group_that_failed_for_its_connection_then_a_new_export_is_what_can_work(
    cause: str, said: bool
) -> None:
    told = alert(with_remains(summary=without(FailedGroup("logs", (), {}, "", None))), cause=cause)["message"]
    assert ("does not prepare the Glue connection again" in told) is said
    assert "does not prepare the Glue connection again" not in alert(cause=cause)["message"]
