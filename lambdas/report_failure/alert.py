"""What people are told of an execution that ended without success, for somebody who reads it in a mail at night."""

from collections.abc import Iterator

from export_contracts.coverage import coverage_of
from export_contracts.findings import FailedGroup
from export_contracts.summary import PARTIAL, Summary
from export_runtime.cause import Cause, read_cause
from export_runtime.console import execution_url, log_url
from export_runtime.notice import notice, two_ways
from export_runtime.text import one_line

from report_failure.event import ABORTED, TIMED_OUT, FailedExecution
from report_failure.objects import Remains
from report_failure.report import Report
from report_failure.settings import Settings

CAUSE_LIMIT = 6000
_NAMES_SHOWN = 12
INVALID_INPUT = "InvalidExportInputError"
_VERDICTS = {ABORTED: "was ABORTED: a person (or a script) stopped it", TIMED_OUT: "TIMED_OUT: it took too long"}


def write_alert(execution: FailedExecution, report: Report, settings: Settings) -> dict[str, str]:
    """Return subject and message.

    Args:
        execution: error and cause in it are foreign text and stay within their lines.
        report: what was found and done.
        settings: of the environment.
    """
    environment = settings.layout.environment
    cause = read_cause("", execution.cause, CAUSE_LIMIT)
    error = one_line(execution.error, 200)
    lines = [
        f"The metadata export of MWAA environment {environment} {_VERDICTS.get(execution.status, 'FAILED')}.",
        "",
        "WHAT FAILED",
        *_what_failed(execution, report, cause, error),
        "",
        "WHY",
        _why(execution, cause),
        *_log(execution, settings, cause),
        "",
        "WHAT EXISTS IN S3",
        *_what_exists(report.remains),
        "",
        *_tidied(report),
        "WHAT TO DO",
        *_what_to_do(execution, report, error),
        "",
        f"Export: {execution.export_id}{f' (redriven {execution.redrives} times)' if execution.redrives else ''}",
        f"Execution: {execution_url(execution.arn)}",
    ]
    about = f": {error}" if error and execution.status not in _VERDICTS else ""
    return notice(f"MWAA export {environment} {execution.status}{about}", lines)


def _what_failed(execution: FailedExecution, report: Report, cause: Cause, error: str) -> Iterator[str]:
    state = one_line(report.last_state or "an unknown state", 100)
    group = f", table group {cause.group}" if cause.group else ""
    if execution.status == ABORTED:
        yield f"Nothing by itself; the last state was {state}{group}"
    else:
        yield f"{state}{group}: {error or execution.status}"


def _why(execution: FailedExecution, cause: Cause) -> str:
    if execution.cause:
        return cause.text
    if execution.status == TIMED_OUT:
        return "The execution took longer than its time limit (TimeoutSeconds of the state machine)"
    return "No reason was given"


def _log(execution: FailedExecution, settings: Settings, cause: Cause) -> list[str]:
    url = log_url(execution.arn, settings.log_group, cause.job_run_id)
    return [f"Log: {url}"] if url else []


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
        yield f"{remains.tables} table objects that nobody has verified, and no summary: do not use them"
    else:
        yield "Nothing of this export"
    yield f"The newest full export (latest.json): {_newest(remains)}"


def _told_by(summary: Summary) -> Iterator[str]:
    yield (f"A summary with status {summary.status}: {len(summary.details)} tables, {summary.total_rows} rows verified")
    if summary.scope == PARTIAL:
        yield f"It is of a PARTIAL export, no backup of the environment: {coverage_of(summary)}"
    if summary.failed_groups:
        # The cause of a run that could not even be started is plain text and names no group.
        yield f"It lacks tables of: {one_line(', '.join(map(_lacking, summary.failed_groups)), 1000)}"


def _newest(remains: Remains) -> str:
    if not remains.latest_export_id:
        return "there is none yet"
    return f"{one_line(remains.latest_export_id, 40)} ({remains.latest_coverage or 'it is not known of what'})"


def _lacking(failed: FailedGroup) -> str:
    names = failed.tables
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{failed.group} ({', '.join(names[:_NAMES_SHOWN])}{more})" if names else failed.group


def _has_bad_tables(remains: Remains | None) -> bool:
    summary = remains.summary if remains else None
    return summary is not None and any(group.failed_tables for group in summary.failed_groups)


def _tidied(report: Report) -> Iterator[str]:
    done = [
        *([f"{len(report.runs.stopped)} Glue runs were stopped"] if report.runs.stopped else []),
        *([f"{report.uploads} unfinished uploads were aborted"] if report.uploads else []),
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


def _what_to_do(execution: FailedExecution, report: Report, error: str) -> Iterator[str]:
    if report.is_redriven:
        yield "Nothing for now: somebody has redriven this execution already, and it runs."
    elif report.remains and report.remains.summary and report.remains.summary.complete:
        yield "What this export was asked for is COMPLETE, only what comes after it failed. Open the execution and"
        yield "choose Redrive; it repeats only that."
    elif error == INVALID_INPUT:
        yield "Start a new execution with an input that is allowed. A redrive would have the same input."
    else:
        if execution.status == ABORTED:
            yield "If this was meant, nothing. If not:"
        yield "Correct the cause, open the execution and choose Redrive (up to 14 days later): it repeats only what"
        yield "failed, into the same keys. Or start a new execution with the same input: it makes a new export."
        if _has_bad_tables(report.remains):
            yield from two_ways()
