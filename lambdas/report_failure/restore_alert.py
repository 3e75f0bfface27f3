"""What people are told of a restore that ended without success."""

from collections.abc import Iterator

from export_contracts.layout import Layout
from export_runtime.cause import read_cause
from export_runtime.console import execution_url
from export_runtime.errors import ExportError
from export_runtime.notice import notice, place, subject
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from report_failure.alert import SAME_SECOND, TASK_FAILED
from report_failure.event import ABORTED, TIMED_OUT, FailedExecution

_CAUSE_LIMIT = 6000
_VERDICTS = {ABORTED: "was ABORTED: a person (or a script) stopped it", TIMED_OUT: "TIMED_OUT: it took too long"}
_MISTAKES = ("InvalidRestoreInputError", "NoSuchExportError", "NotRestorableError")
"""of the input, with which a redrive would begin again"""


COMMITTED, COMMITTING, NOT_COMMITTED = "report", "committing", ""
"""how far a restore came; the words are those of the documents that it left, each when it came so far"""
UNKNOWN = "unknown"
"""S3 could not say"""


def how_far(execution: FailedExecution, layout: Layout, store: ObjectStore) -> str:
    """Return how far a restore came, as its documents tell by being there. It is for a message: no error."""
    if execution.error in (*_MISTAKES, SAME_SECOND):  # documents of that name are another's
        return NOT_COMMITTED
    try:
        there = (each for each in (COMMITTED, COMMITTING) if store.keys(layout.restore_key(execution.export_id, each)))
        return next(there, NOT_COMMITTED)
    except ExportError:
        return UNKNOWN


def write_restore_alert(execution: FailedExecution, layout: Layout, came: str) -> dict[str, str]:
    """Return subject and message.

    Args:
        execution: error and cause in it are foreign text and stay within their lines.
        layout: of the environment that was to be overwritten.
        came: as ``how_far`` returns it.
    """
    environment = layout.environment
    document = COMMITTING if came == COMMITTING else COMMITTED
    left = f"s3://{layout.bucket}/{layout.restore_key(execution.export_id, document)}"
    cause = read_cause("", execution.cause, _CAUSE_LIMIT)
    error = "" if execution.error == TASK_FAILED else one_line(execution.error, 200)
    lines = [
        f"The restore into MWAA environment {environment} {_VERDICTS.get(execution.status, 'FAILED')}.",
        place(execution.arn),
        "",
        "WHAT THE DATABASE IS NOW",
        *_database(came, left, error),
        "",
        "WHY",
        f"{error}: {cause.text}" if error else cause.text,
        "",
        "WHAT TO DO",
        *_what_to_do(came, error),
        "",
        f"Execution: {execution_url(execution.arn)}",
    ]
    what = "the database is restored all the same" if came == COMMITTED else error
    return notice(subject(environment, f"restore {execution.status}", what), lines)


def _database(came: str, left: str, error: str) -> Iterator[str]:
    if error == SAME_SECOND:
        yield "This execution has changed nothing. What the other one does, its own mail says."
        return
    if came == COMMITTED:
        yield "What the export was: it was committed, and only what comes after that failed. Airflow goes on with it."
        yield f"Report: {left}"
        return
    if came == COMMITTING:
        yield "As it was, or what the export was, nothing between: the run had begun to commit, and has left no report."
        yield "The reason below may say which; else SELECT pg_xact_status('...') does, with the transaction's number in"
        yield f"{left}"
        return
    if came == UNKNOWN:
        yield "As it was, or what the export was, nothing between: S3 could not be asked which. One that was committed"
        yield f"has left its report: {left}"
        return
    yield "A restore is one transaction, and nothing is committed that was not read back and compared. So the database"
    yield "is as it was, unless the reason below says otherwise; Airflow went on meanwhile. One that had been committed"
    yield f"before this happened has left its report: {left}"


def _what_to_do(came: str, error: str) -> Iterator[str]:
    if came == COMMITTED:
        yield "Nothing has to be restored again, and a redrive does not: it goes on with what failed after the commit."
    elif came in (COMMITTING, UNKNOWN):
        yield "Redrive the execution in the Step Functions console. It asks the database first what became of the"
        yield "commit: what was committed is not restored again, so what Airflow has done since stays. If WHY says that"
        yield "the database does not know that any more, do what it says."
    elif error == SAME_SECOND:
        yield "When the other restore has ended, start a new one: a redrive would have the same name."
    elif error in _MISTAKES:
        yield "Correct the input as WHY says, and start a new restore with it: a redrive would have the same one."
    else:
        yield "Correct the cause and redrive the execution in the Step Functions console: it goes on with the state"
        yield "that failed. Whether it succeeded in the end another mail says."
