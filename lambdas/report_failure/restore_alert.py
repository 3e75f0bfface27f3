"""What people are told of a restore that ended without success."""

from collections.abc import Iterator

from export_contracts.layout import Layout
from export_runtime.cause import read_cause
from export_runtime.errors import ExportError
from export_runtime.notice import notice, place, subject
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from report_failure.alert import TASK_FAILED
from report_failure.event import ABORTED, TIMED_OUT, FailedExecution

_CAUSE_LIMIT = 6000
_VERDICTS = {ABORTED: "was ABORTED: a person (or a script) stopped it", TIMED_OUT: "TIMED_OUT: it took too long"}
_MISTAKES = ("InvalidRestoreInputError", "NoSuchExportError", "NotRestorableError")
"""of the input, with which a redrive would begin again"""


def is_committed(execution: FailedExecution, layout: Layout, store: ObjectStore) -> bool:
    """Return whether a restore was committed, as its report tells by being there. It is for a message: no error."""
    try:
        return bool(store.keys(layout.restore_key(execution.export_id, "report")))
    except ExportError:
        return False


def write_restore_alert(execution: FailedExecution, layout: Layout, committed: bool) -> dict[str, str]:
    """Return subject and message.

    Args:
        execution: error and cause in it are foreign text and stay within their lines.
        layout: of the environment that was to be overwritten.
        committed: as ``is_committed`` returns it.
    """
    environment = layout.environment
    report = f"s3://{layout.bucket}/{layout.restore_key(execution.export_id, 'report')}"
    cause = read_cause("", execution.cause, _CAUSE_LIMIT)
    error = "" if execution.error == TASK_FAILED else one_line(execution.error, 200)
    lines = [
        f"The restore into MWAA environment {environment} {_VERDICTS.get(execution.status, 'FAILED')}.",
        place(execution.arn),
        "",
        "WHAT THE DATABASE IS NOW",
        *_database(committed, report),
        "",
        "WHY",
        f"{error}: {cause.text}" if error else cause.text,
        "",
        "WHAT TO DO",
        *_what_to_do(committed, error),
    ]
    what = "the database is restored all the same" if committed else error
    return notice(subject(environment, f"restore {execution.status}", what), lines)


def _database(committed: bool, report: str) -> Iterator[str]:
    if committed:
        yield "What the export was: it was committed, and only what comes after that failed. Airflow goes on with it."
        yield f"Report: {report}"
        return
    yield "A restore is one transaction, and nothing is committed that was not read back and compared. So the database"
    yield "is as it was, unless the reason below says otherwise; Airflow went on meanwhile. One that had been committed"
    yield f"before this happened has left its report: {report}"


def _what_to_do(committed: bool, error: str) -> Iterator[str]:
    if committed:
        yield "Nothing has to be restored again. Redrive only if the execution stopped at Send Restore Notice: from the"
        yield "state Restore it would overwrite what Airflow has done since."
    elif error in _MISTAKES:
        yield "Correct the input as WHY says, and start a new restore with it: a redrive would have the same one."
    else:
        yield "Correct the cause and redrive the execution in the Step Functions console: it goes on with the state"
        yield "that failed. Whether it succeeded in the end another mail says."
