"""What people are told of a drill that ended without success."""

from collections.abc import Iterator

from export_contracts.layout import Layout
from export_contracts.proofs import newest_restorable
from export_runtime.cause import read_cause
from export_runtime.console import execution_url
from export_runtime.errors import ExportError
from export_runtime.notice import command, notice, place, subject
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from report_failure.alert import TASK_FAILED
from report_failure.event import ABORTED, TIMED_OUT, FailedExecution

_CAUSE_LIMIT = 6000
_VERDICTS = {ABORTED: "was ABORTED: a person (or a script) stopped it", TIMED_OUT: "TIMED_OUT: it took too long"}
_DAMAGED = "ExportNotRestorableError"


def write_drill_alert(execution: FailedExecution, layout: Layout, store: ObjectStore) -> dict[str, str]:
    """Return subject and message.

    Args:
        execution: error and cause in it are foreign text and stay within their lines.
        layout: of the environment whose export was tried.
        store: knows the proofs of others.
    """
    environment, damaged = layout.environment, execution.error == _DAMAGED
    cause = read_cause("", execution.cause, _CAUSE_LIMIT)
    error = "" if execution.error in (TASK_FAILED, _DAMAGED) else one_line(execution.error, 200)
    failed = f"The drill of MWAA environment {environment} {_VERDICTS.get(execution.status, 'FAILED')}."
    lines = [
        f"The newest export of MWAA environment {environment} does NOT restore." if damaged else failed,
        place(execution.arn),
        "",
        "WHAT THIS MEANS",
        *_meaning(damaged),
        f"The newest export that is proven to restore: {_proven(layout, store)}",
        "",
        "WHY",
        f"{error}: {cause.text}" if error else cause.text,
        "",
        "WHAT TO DO",
        *_what_to_do(damaged, command("export", environment, execution.arn), environment),
        "",
        f"Execution: {execution_url(execution.arn)}",
    ]
    verdict = "does NOT restore" if damaged else f"drill {execution.status}"
    return notice(subject(environment, verdict, error or cause.text), lines)


def _meaning(damaged: bool) -> Iterator[str]:
    if damaged:
        yield "A drill restored it into a database of its own and compared. Should Airflow's database be lost today,"
        yield "this export would not bring back what it was. Exports go on as always."
        return
    yield "Nothing is known of the newest export: it could not be tried. Exports go on as always."


def _proven(layout: Layout, store: ObjectStore) -> str:
    try:
        proof = newest_restorable(store, layout.root)
    except ExportError as error:
        return f"not known, {one_line(str(error), 300)}"
    return f"{proof.export_id}, on {proof.finished:%Y-%m-%d}" if proof else "there is none"


def _what_to_do(damaged: bool, export: str, environment: str) -> Iterator[str]:
    if damaged:
        yield "Make another export now, then start the drill again, in the Step Functions console with the input {}:"
        yield f"  {export}"
        yield f"  state machine {environment}-db-drill"
        yield "If an object that WHY names was altered or deleted, find out by whom: the bucket keeps earlier"
        yield "versions for 30 days. docs/troubleshooting.md says more."
        return
    yield "Correct the cause that WHY gives and redrive the execution in the Step Functions console: it goes on with"
    yield "the state that failed. Else the next drill tries again, and an alarm follows when no proof is young enough."
