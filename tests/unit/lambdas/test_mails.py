"""Every mail as text, as the person gets it: in mails/, where each was read. GOLDEN=write writes them anew."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aggregate_results.alert
import pytest
import report_failure.alert
from export_contracts.coverage import Coverage
from export_contracts.findings import FailedGroup, RowFall
from export_contracts.layout import export_id
from export_contracts.summary import Selection, Summary
from export_contracts.wording import LastComplete
from report_failure.glue_runs import Stopped
from report_failure.objects import Remains
from report_failure.report import Report

from tests.documents import of_rows, summary
from tests.unit.lambdas.report_failure.cases import NOW, RUN_ID, SETTINGS, execution

MAILS = Path(__file__).parent / "mails"
LAST = export_id(NOW - timedelta(hours=9))
URI = "s3://prod-exports/exports/prod-backups/2026/12/11/export_summary_143022.json.gz"
LOG = "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:log-groups/log-group/x"
DELIVERED = of_rows({f"table_{number}": 200 for number in range(54)}) | of_rows(
    {"dag_run": 41, "task_instance": 120, "task_reschedule": 3, "rendered_task_instance_fields": 7}, "tasks"
)
KILLED = FailedGroup("tasks", ("log_template", "xcom"), {}, "the Glue run ended with exit code 137", LOG)
DAMAGED = replace(
    KILLED,
    tables=("xcom",),
    error="1 of 6 tables could not be exported: xcom",
    failed_tables={"xcom": "cannot export the table xcom: missing chunk number 0 for toast value 16417 (XX001)"},
)
GLUE_CAUSE = json.dumps(
    {"Id": RUN_ID, "ErrorMessage": "canceling statement due to lock timeout", "Arguments": {"--EXPORT_GROUP": "tasks"}}
)


def incomplete(*groups: FailedGroup, **changes: Any) -> Summary:
    """Return a summary in which groups have failed."""
    return summary(details=DELIVERED, status="INCOMPLETE", failed_groups=groups, **changes)


def aggregated(found: Summary, is_retry: bool = False, lacks_key: bool = False) -> dict[str, str]:
    """Return what the state machine sends of a summary."""
    last = LastComplete(LAST)
    return aggregate_results.alert.write_alert(found, URI, is_retry, last, NOW, lacks_fernet_key=lacks_key)


def failed(error: str | None = None, cause: str | None = None, **changes: Any) -> dict[str, str]:
    """Return what is sent of an execution that failed; changes are of the event, the report or what remains."""
    fields = Report.__dataclass_fields__.keys()
    of_report = {name: changes.pop(name) for name in [*changes] if name in fields}
    of_event = {name: changes.pop(name) for name in ("status", "redriveCount") if name in changes}
    remains = replace(Remains(0, None, URI, LAST, Coverage((), (), 30)), **changes)
    report = replace(Report(Stopped(), 0, remains, "Plan Export", False, ()), **of_report)
    return report_failure.alert.write_alert(execution(error=error, cause=cause, **of_event), report, SETTINGS, NOW)


def thrown(error: str, message: str) -> dict[str, str]:
    """Return error and cause of a function that failed."""
    return {"error": error, "cause": json.dumps({"errorMessage": message, "errorType": error, "stackTrace": ["x"]})}


STILL = (
    "Export 20261211T143022Z of prod is still INCOMPLETE after the retry. tasks: the Glue run ended with exit code 137."
)
MISTAKE = "include_tables asks for dagrun, which is not in the database of prod. Everything else is exported."
INVALID = (
    "Execution input is not valid: (1) unknown field 'tables'; allowed are ... Nothing was started; correct the input."
)
NETWORK = (
    "Glue cannot reach the database: (1) security group sg-1 does not let itself in: add the rule All TCP from itself."
)
RETRIED = {"last_state": "Aggregate Retried Results"}
CASES: dict[str, Callable[[], dict[str, str]]] = {
    "incomplete": lambda: aggregated(incomplete(KILLED)),
    "incomplete, a table that cannot be read": lambda: aggregated(incomplete(DAMAGED)),
    "incomplete, partial": lambda: aggregated(incomplete(KILLED, scope="partial", selection=Selection(("xcom",)))),
    "incomplete, three groups": lambda: aggregated(
        incomplete(KILLED, *(replace(KILLED, group=name, log_url=None) for name in ("runs", "definitions")))
    ),
    "recovered": lambda: aggregated(summary(details=DELIVERED, consistency="per-group"), is_retry=True),
    "complete, rows fell": lambda: aggregated(
        summary(
            details=DELIVERED,
            compared_with=URI.replace("11/export", "10/export"),
            row_falls=(RowFall("xcom", 20_000, 17, 99.9), RowFall("log", 2000, 900, 55.0)),
        )
    ),
    "complete, key not kept": lambda: aggregated(summary(details=DELIVERED), lacks_key=True),
    "failed, tables missing": lambda: failed(
        **thrown("ExportIncompleteError", STILL), summary=incomplete(KILLED), **RETRIED
    ),
    "failed, a table that cannot be read": lambda: failed(
        **thrown("ExportIncompleteError", STILL), summary=incomplete(DAMAGED), **RETRIED
    ),
    "failed, a Glue run": lambda: failed(
        "States.TaskFailed", GLUE_CAUSE, summary=incomplete(KILLED), last_state="Retry Group"
    ),
    "failed, input not valid": lambda: failed(
        **thrown("InvalidExportInputError", INVALID),
    ),
    "failed, no such table": lambda: failed(
        **thrown("TableNotInDatabaseError", MISTAKE), summary=incomplete(replace(KILLED, tables=("dagrun",)))
    ),
    "failed, another export": lambda: failed(**thrown("OtherExportError", "It has not ended within 2 hours: see ...")),
    "failed, same second": lambda: failed(
        **thrown("SameSecondError", "Export ... is complete and another execution's ..."),
        summary=summary(details=DELIVERED),
    ),
    "failed, network": lambda: failed(
        **thrown("ConnectionImpossibleError", NETWORK), last_state="Prepare Connection", latest_export_id=None
    ),
    "failed after the export": lambda: failed(
        "SNS.NotFoundException", "Topic does not exist", summary=summary(details=DELIVERED),
        last_state="Send Recovery Notice",
    ),
    "failed, and redriven": lambda: failed(
        **thrown("ExportIncompleteError", STILL), summary=incomplete(KILLED), is_redriven=True, **RETRIED
    ),
    "failed, long ago the last": lambda: failed(
        **thrown("AwsCallError", "Could not read s3://x (AccessDenied: no). Check the role."),
        latest_export_id=export_id(NOW - timedelta(days=3)), last_state="Aggregate Results",
        runs=Stopped(("jr_1", "jr_2"), ("jr_2",)), uploads=3, problems=("Could not list s3://x",),
    ),
    "failed, nothing known": lambda: failed(
        "States.Runtime", "", remains=None, last_state=None, problems=("Could not list s3://x (AccessDenied)",)
    ),
    "aborted": lambda: failed("Operator", "wrong window", status="ABORTED", last_state="Export Table Groups"),
    "timed out": lambda: failed(status="TIMED_OUT", last_state="Export Table Groups"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_mail_is_the_one_that_was_read(name: str) -> None:
    mail = CASES[name]()
    text = f"Subject: {mail['subject']}\n\n{mail['message']}\n"
    file = MAILS / f"{name.replace(', ', '-').replace(' ', '_')}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text
    assert len(mail["subject"]) < 100


def test_no_mail_is_left_that_nobody_sends() -> None:
    assert len(list(MAILS.iterdir())) == len(CASES)


SAID = (
    *report_failure.alert._SHORTLY.values(),
    aggregate_results.alert._figures(summary(), (), lacks_fernet_key=True),
    aggregate_results.alert._figures(summary(), ("no partition",), lacks_fernet_key=False),
    "restore FAILED", "MWAA restored: ", "does NOT restore", "drill FAILED",
)  # fmt: skip


@pytest.mark.parametrize("said", SAID)
def test_what_a_subject_says_is_in_the_list_of_what_people_may_get(said: str) -> None:
    lines = (Path(__file__).parents[3] / "docs" / "operate.md").read_text().splitlines()
    messages = [line.split(" | ")[0] for line in lines if line.startswith("|")]
    assert [message for message in messages if said in message] != []
