"""Follows an execution to its end: what happens, and how it ended, with the next action."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from export_contracts.layout import export_id
from export_contracts.manifest import Manifest
from export_contracts.summary import COMPLETE, PARTIAL
from export_runtime.cause import read_cause
from export_runtime.console import execution_url
from export_runtime.errors import ExportError
from export_runtime.figures import counted, duration, size
from export_runtime.text import one_line

from export_cli.errors import BAD, BUSY, INTERRUPTED, OK
from export_cli.executions import MISTAKES, SAME_SECOND, Follower, Step, is_restore
from export_cli.exports import Export
from export_cli.options import Session
from export_cli.screen import age
from export_cli.target import Target

POLL_SECONDS = 3.0
ALREADY_EXPORTED, BUSY_ELSEWHERE, RESTORED = "ALREADY_EXPORTED", "BUSY", "RESTORED"
_RUNNING = ("RUNNING", "PENDING_REDRIVE")
_REASON_LIMIT = 4000
_SIGNS = {"started": "·", "waiting": "·", "succeeded": "✓", "failed": "✗"}
_STYLES = {"started": "dim", "waiting": "yellow", "succeeded": "green", "failed": "red"}


@dataclass(frozen=True)
class Ending:
    """How an execution ended. ``status`` is its own word for that; ``reason`` says why it failed, decoded."""

    arn: str
    execution_status: str
    status: str
    export_id: str
    seconds: float
    error: str | None
    cause: str | None
    reason: str | None
    output: Mapping[str, Any]

    @property
    def code(self) -> int:
        """The exit code of a command that has followed it."""
        if self.execution_status != "SUCCEEDED":
            return BAD
        return {COMPLETE: OK, ALREADY_EXPORTED: OK, RESTORED: OK, BUSY_ELSEWHERE: BUSY}.get(self.status, BAD)

    @property
    def redrive(self) -> str:
        """The command that lets it go on."""
        return f"redrive --restore {self.export_id}" if is_restore(self.arn) else f"redrive {self.export_id}"


def follow(session: Session, target: Target, follower: Follower, *, to_the_end: bool) -> int:
    """Follow an execution; return the exit code.

    Args:
        session: of the command.
        target: the environment.
        follower: of the execution.
        to_the_end: wait for its end; otherwise only say which it is.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    arn, screen = follower.execution_arn, session.screen
    what = "restore" if is_restore(arn) else "export"
    try:
        screen.line("Console", execution_url(arn), style="dim")
        if not to_the_end:
            if screen.as_json:
                screen.document({"execution_arn": arn, "status": follower.status()["status"]})
            return OK
        with screen.waiting(f"waiting for the next step; Ctrl-C ends the following, not the {what}"):
            execution = _wait(session, target, follower)
    except KeyboardInterrupt:
        again = session.ours(f"export --execution {arn}", target)
        click.echo(
            f"\nNo longer following. The {what} goes on: {execution_url(arn)}\nTo follow it again: {again}", err=True
        )
        return INTERRUPTED
    return _conclude(session, target, _ending(execution))


def _wait(session: Session, target: Target, follower: Follower) -> Mapping[str, Any]:
    while True:
        # First the status: what happens between the two calls is in the history.
        execution = follower.status()
        _show_steps(session, target, follower, execution["startDate"].astimezone(UTC))
        if execution["status"] not in _RUNNING:
            return execution
        time.sleep(POLL_SECONDS)


def _show_steps(session: Session, target: Target, follower: Follower, started: datetime) -> None:
    for step in follower.steps():
        delivered = _delivered(session, target, started, step) if step.what == "succeeded" and step.group else ""
        session.screen.line(_line(step, step.detail or delivered), style=_STYLES[step.what])


def _line(step: Step, detail: str) -> str:
    where = f"{step.state}: {step.group}" if step.group else step.state
    shown = f" - {one_line(detail, 600)}" if detail else ""
    return f"{step.moment:%H:%M:%S} {_SIGNS[step.what]} {where} {step.what}{shown}"


def _delivered(session: Session, target: Target, started: datetime, step: Step) -> str:
    """Return what a group's manifest says it delivered, or nothing when it cannot be read: others judge that."""
    try:
        found = session.store(target).read(target.where().manifest_key(started, str(step.group)))
        tables = Manifest.from_bytes(found.body).tables if found else {}
    except ExportError:
        return ""
    rows = sum(table.rows for table in tables.values())
    stored = sum(table.object_bytes for table in tables.values())
    return f"{counted(len(tables), 'table')}, {counted(rows, 'row')}, {size(stored)}" if tables else ""


def _ending(execution: Mapping[str, Any]) -> Ending:
    output = _output(execution)
    started, ended = execution["startDate"], execution.get("stopDate", execution["startDate"])
    error, cause = execution.get("error"), execution.get("cause")
    failed = execution["status"] != "SUCCEEDED"
    return Ending(
        arn=execution["executionArn"],
        execution_status=execution["status"],
        status=str(output.get("status") or execution["status"]),
        export_id=export_id(started.astimezone(UTC)),
        seconds=(ended - started).total_seconds(),
        error=error,
        cause=cause,
        reason=read_cause(error or "", cause or "", _REASON_LIMIT).text if failed else None,
        output=output,
    )


def _output(execution: Mapping[str, Any]) -> dict[str, Any]:
    try:
        output = json.loads(execution.get("output") or "{}")
    except ValueError:
        return {}
    return output if isinstance(output, dict) else {}


def _conclude(session: Session, target: Target, ending: Ending) -> int:
    screen = session.screen
    lines = list(_told(session, target, ending))
    if screen.as_json:
        about: dict[str, Any] = {
            "execution_arn": ending.arn,
            "export_id": ending.export_id,
            "status": ending.execution_status,
        }
        about |= {"outcome": ending.status, "seconds": ending.seconds, "error": ending.error, "cause": ending.cause}
        screen.document(
            {**about, "reason": ending.reason, "output": ending.output, "told": [text for text, _ in lines]}
        )
    screen.blank()
    screen.line(ending.status, f"after {duration(ending.seconds)}")
    for text, style in lines:
        screen.line(text, style=style)
    return ending.code


def _told(session: Session, target: Target, ending: Ending) -> Iterator[tuple[str, str]]:
    """Yield lines and their styles: what there is now, and what to do."""
    output = ending.output
    if ending.execution_status != "SUCCEEDED":
        yield from _failed(session, target, ending)
    elif ending.status == COMPLETE:
        delivered = f"{counted(output['total_tables'], 'table')}, {counted(output['total_rows'], 'row')}"
        yield f"{delivered}: {output['summary_uri']}", ""
        if output.get("scope") == PARTIAL:
            yield f"Partial ({output.get('covers')}): no backup of the environment.", "yellow"
    elif ending.status == RESTORED:
        yield f"The export {output['export_id']} was restored into {output['environment']}.", ""
        yield f"What was there before: {output['kept']}", ""
        yield f"What was left out, not compared, paused and failed: {output['report_uri']}", ""
    elif ending.status == BUSY_ELSEWHERE:
        winner = str(output.get("winner"))
        yield f"Nothing was started: {output.get('reason')}", "yellow"
        yield f"Follow it: {session.ours(f'export --execution {winner}', target)}", ""
    else:
        yield f"{output.get('reason') or ''} {output.get('winner') or ''}".strip(), ""


def _failed(session: Session, target: Target, ending: Ending) -> Iterator[tuple[str, str]]:
    yield str(ending.reason), "red"
    if not is_restore(ending.arn):
        yield _last_complete(session, target), ""
    if not is_restore(ending.arn) and _summary_of(session, target, ending):
        yield f"See what is there: {session.ours(f'show {ending.export_id}', target)}", ""
    what = "restore" if is_restore(ending.arn) else "export"
    if ending.error in MISTAKES:
        yield f"A redrive would have the same input. Correct it, and start a new {what}.", ""
    elif ending.error == SAME_SECOND:
        new = (
            "restore when the other has ended." if is_restore(ending.arn) else f"one: {session.ours('export', target)}"
        )
        yield f"A redrive would have the same name. Start a new {new}", ""
    else:
        yield f"Correct the cause, then: {session.ours(ending.redrive, target)}", ""


def _last_complete(session: Session, target: Target) -> str:
    try:
        latest = session.exports(target).latest()
    except ExportError as error:
        return f"Last complete export: {error}"
    return f"Last complete export: {latest.export_id}, {age(latest.started, datetime.now(UTC))}"


def _summary_of(session: Session, target: Target, ending: Ending) -> Export | None:
    try:
        return session.exports(target).find(ending.export_id)
    except ExportError:
        return None
