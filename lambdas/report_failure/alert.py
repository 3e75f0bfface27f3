"""What people are told of an execution that ended without success, for somebody who reads it in a mail at night."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from export_contracts.coverage import coverage_of
from export_contracts.summary import PARTIAL, Summary
from export_contracts.wording import LastComplete, ago, named, what_is_missing
from export_runtime.cause import Cause, read_cause
from export_runtime.console import execution_url, log_url
from export_runtime.figures import counted
from export_runtime.notice import command, notice, place, subject, two_ways
from export_runtime.text import one_line

from report_failure.event import ABORTED, TIMED_OUT, FailedExecution
from report_failure.objects import Remains
from report_failure.report import Report
from report_failure.settings import Settings

CAUSE_LIMIT = 6000
INVALID_INPUT = "InvalidExportInputError"
NO_SUCH_TABLE = "TableNotInDatabaseError"
OTHER_EXPORT = "OtherExportError"
SAME_SECOND = "SameSecondError"
TASK_FAILED = "States.TaskFailed"  # says no more than that it failed
_VERDICTS = {ABORTED: "was ABORTED: a person (or a script) stopped it", TIMED_OUT: "TIMED_OUT: it took too long"}
_SHORTLY = {
    INVALID_INPUT: "its input is not valid",
    NO_SUCH_TABLE: "include_tables names a table that does not exist",
    OTHER_EXPORT: "another export was at work for two hours",
    SAME_SECOND: "another export began in the same second",
    "ConnectionImpossibleError": "the database cannot be reached",
}
"""error -> what has happened, for a subject"""


def write_alert(execution: FailedExecution, report: Report, settings: Settings, now: datetime) -> dict[str, str]:
    """Return subject and message.

    Args:
        execution: error and cause in it are foreign text and stay within their lines.
        report: what was found and done.
        settings: of the environment.
        now: UTC.
    """
    environment = settings.layout.environment
    cause = read_cause("", execution.cause, CAUSE_LIMIT)
    error = one_line(execution.error, 200)
    last = _last_complete(report.remains)
    redriven = f" (redriven {execution.redrives} times)" if execution.redrives else ""
    lines = [
        f"The metadata export of MWAA environment {environment} {_VERDICTS.get(execution.status, 'FAILED')}.",
        place(execution.arn),
        "",
        "CAN IT WAIT",
        *_can_wait(report, last, settings, now),
        "",
        "WHAT FAILED",
        *_what_failed(execution, report, cause, error),
        "",
        "WHY",
        _why(execution, cause),
        *_logs(execution, report.remains, settings, cause),
        "",
        "WHAT TO DO",
        *_what_to_do(execution, report, environment, error),
        "",
        "WHAT EXISTS IN S3",
        *_what_exists(report.remains),
        "",
        *_tidied(report),
        f"Export: {execution.export_id}{redriven}",
        f"Execution: {execution_url(execution.arn)}",
    ]
    about = subject(environment, execution.status, _what(execution, report, error), last.words(now))
    return notice(about, lines)


def _last_complete(remains: Remains | None) -> LastComplete:
    return LastComplete(remains.latest_export_id) if remains else LastComplete(is_known=False)


def _what(execution: FailedExecution, report: Report, error: str) -> str:
    """Return what has happened, for the subject."""
    if execution.status == ABORTED:
        return "somebody stopped it"
    if error in _SHORTLY:
        return _SHORTLY[error]
    summary = report.remains.summary if report.remains else None
    if summary is not None:
        return f"complete, but then {error}" if summary.complete else what_is_missing(summary)
    state = one_line(report.last_state or "", 60)
    return f"{state}{f' ({error})' if error else ''}" if state else error


def _can_wait(report: Report, last: LastComplete, settings: Settings, now: datetime) -> Iterator[str]:
    age, limit = last.age_seconds(now), timedelta(hours=settings.alarm_after_hours)
    if report.is_redriven:
        yield "Yes: somebody has redriven it already, and it runs."
    elif age is None and last.is_known and not last.export_id:
        yield "No: there is no complete export yet."
    elif age is None:
        yield "That is not known: S3 could not say how old the last complete export is."
    elif age < limit.total_seconds():
        until = now + limit - timedelta(seconds=age)
        yield f"Yes, until {until:%Y-%m-%d %H:%M} UTC. The last complete export began {ago(age)}; an alarm follows when"
        yield f"it is {settings.alarm_after_hours} hours old. DAG and schedule start the next export as always."
    else:
        yield f"No: the last complete export began {ago(age)}. What Airflow's database loses now, no export has."


def _what_failed(execution: FailedExecution, report: Report, cause: Cause, error: str) -> Iterator[str]:
    state = one_line(report.last_state or "an unknown state", 100)
    group = f", table group {cause.group}" if cause.group else ""
    if execution.status == ABORTED:
        yield f"Nothing by itself; the last state was {state}{group}"
    else:
        yield f"{state}{group}{'' if error == TASK_FAILED else f': {error or execution.status}'}"


def _why(execution: FailedExecution, cause: Cause) -> str:
    if execution.cause:
        return cause.text
    if execution.status == TIMED_OUT:
        return "The execution took longer than its time limit (TimeoutSeconds of the state machine)"
    return "No reason was given"


def _logs(execution: FailedExecution, remains: Remains | None, settings: Settings, cause: Cause) -> list[str]:
    url = log_url(execution.arn, settings.log_group, cause.job_run_id)
    if url:
        return [f"Log: {url}"]
    summary = remains.summary if remains else None
    failed = summary.failed_groups if summary else ()
    return [f"Log of {one_line(group.group, 60)}: {group.log_url}" for group in failed if group.log_url]


def _what_exists(remains: Remains | None) -> Iterator[str]:
    if remains is None:
        yield "Unknown: S3 could not be asked (see below)"
        return
    if remains.summary is not None:
        yield from _told_by(remains.summary)
        yield f"Summary: {remains.summary_uri}"
    elif remains.summary_problem:
        yield f"A summary that cannot be read: {remains.summary_problem}"
        yield f"Summary: {remains.summary_uri}"
    elif remains.tables:
        objects = counted(remains.tables, "table object")
        yield f"{objects} that nobody has verified, and no summary: do not use what is there"
    else:
        yield "Nothing of this export"
    yield f"The newest full export (latest.json): {_newest(remains)}"


def _told_by(summary: Summary) -> Iterator[str]:
    tables, rows = counted(len(summary.details), "table"), counted(summary.total_rows, "row")
    yield f"A summary with status {summary.status}: {tables}, {rows} verified"
    if summary.scope == PARTIAL:
        yield f"It is of a PARTIAL export, no backup of the environment: {coverage_of(summary)}"
    if summary.failed_groups:
        # The cause of a run that could not even be started is plain text and names no group.
        lacking = (f"{group.group} ({named(group.tables)})" if group.tables else group.group
                   for group in summary.failed_groups)  # fmt: skip
        yield f"It lacks tables of: {one_line(', '.join(lacking), 1000)}"


def _newest(remains: Remains) -> str:
    if not remains.latest_export_id:
        return "there is none yet"
    return f"{one_line(remains.latest_export_id, 40)} ({remains.latest_coverage or 'it is not known of what'})"


def _names_the_connection(cause: str, environment: str) -> bool:
    """Say whether the reason of a failed group may be what Prepare Connection had prepared for it."""
    connection = rf"connection\W+{re.escape(environment)}-metadata-export\b"
    return re.search(rf"{connection}|subnet|security.?group", cause, re.IGNORECASE) is not None


def _has_bad_tables(remains: Remains | None) -> bool:
    summary = remains.summary if remains else None
    return summary is not None and any(group.failed_tables for group in summary.failed_groups)


def _tidied(report: Report) -> Iterator[str]:
    stopped, uploads = len(report.runs.stopped), report.uploads
    done = [
        *([f"Stopped: {counted(stopped, 'Glue run')}"] if stopped else []),
        *([f"Aborted: {counted(uploads, 'unfinished upload')}"] if uploads else []),
    ]
    active = [
        f"NOT ENDED YET: Glue run {one_line(run, 400)}. Look at it in the Glue console and stop it there; "
        "what it leaves half written, the bucket removes within a day"
        for run in report.runs.still_active
    ]
    failed = [f"COULD NOT BE DONE: {problem}" for problem in report.problems]
    if done or active or failed:
        yield "WHAT WAS TIDIED UP"
        yield from (*done, *active, *failed)
        yield ""


def _what_to_do(execution: FailedExecution, report: Report, environment: str, error: str) -> Iterator[str]:
    redrive = command(f"redrive {execution.export_id}", environment, execution.arn)
    if report.is_redriven:
        yield "Nothing for now."
    elif error == INVALID_INPUT:
        yield "Correct the input as WHY says, and start a new export with it: a redrive would have the same one. It"
        yield "came from the trigger form of the DAG, from a person or from a script."
    elif error == NO_SUCH_TABLE:
        yield "Correct the name, or leave it out, and start a new export: a redrive would ask for the same table. If it"
        yield "came from the stack's parameter IncludeTables, deploy the stack with the right one."
    elif error == SAME_SECOND:
        yield "Start a new export with the same input: a redrive would have the same name. The other one is whole."
    elif error == OTHER_EXPORT:
        yield "See what holds up the other export that WHY names. When it has ended, redrive this one:"
        yield f"  {redrive}"
    elif report.remains and report.remains.summary and report.remains.summary.complete:
        yield "The export itself is COMPLETE; only what comes after it failed. Correct the cause, then redrive: that"
        yield "repeats nothing else."
        yield f"  {redrive}"
    elif execution.status == ABORTED:
        yield "If this was meant, nothing. If not, redrive (up to 14 days later). It exports only what is missing."
        yield f"  {redrive}"
    else:
        cause = "Find out what took so long (the execution shows it)"
        cause = cause if execution.status == TIMED_OUT else "Correct the cause that WHY gives"
        yield f"{cause}, then redrive (up to 14 days later). It exports only what is missing."
        yield f"  {redrive}"
        yield "or open the execution in the console (the link is below) and choose Redrive."
        if report.remains and report.remains.summary and _names_the_connection(execution.cause, environment):
            yield "A redrive does not prepare the Glue connection again. If that was deleted, or what it names, start a"
            yield "new export instead:"
            yield f"  {command('export', environment, execution.arn)}"
        if _has_bad_tables(report.remains):
            yield from ("", *two_ways())
