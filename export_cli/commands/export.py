"""`export`: starts an execution and follows it."""

import json
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from export_contracts.layout import export_id
from export_contracts.manifest import Manifest
from export_contracts.summary import COMPLETE, PARTIAL
from export_runtime.console import execution_url
from export_runtime.errors import ExportError
from export_runtime.figures import counted, duration, size
from export_runtime.text import one_line
from plan_export.errors import InvalidExportInputError
from plan_export.execution_input import parse_input

from export_cli.errors import BAD, INTERRUPTED, OK, InvalidOptionError
from export_cli.executions import Follower, Step, start
from export_cli.options import Session, with_session
from export_cli.target import Target

POLL_SECONDS = 3.0
_EXECUTION_ARN = re.compile(r"arn:[\w-]+:states:[\w-]+:\d{12}:execution:[^:\s]+:[^:\s]+")
_SIGNS = {"started": "·", "waiting": "·", "succeeded": "✓", "failed": "✗"}
_STYLES = {"started": "dim", "waiting": "yellow", "succeeded": "green", "failed": "red"}


@click.command()
@click.option("--max-age-in-days", "-d", type=int, metavar="DAYS", help="How many days back it reaches, 1 to 3650.")
@click.option("--everything", is_flag=True, help="All rows, whatever their age.")
@click.option(
    "--include-table", "-i", "include_tables", multiple=True, metavar="NAME", help="Only this table. May be repeated."
)
@click.option(
    "--exclude-table", "-x", "exclude_tables", multiple=True, metavar="NAME", help="Not this table. May be repeated."
)
@click.option("--force", is_flag=True, help="Also when a fresh export is there.")
@click.option("--follow/--no-follow", default=True, help="Wait for its end, showing what happens. Default: follow.")
@click.option("--execution", metavar="ARN", help="Start nothing, follow this execution.")
@with_session
def export(session: Session, follow: bool, execution: str | None, **fields: Any) -> int:
    """Start an export and follow it. Exit code 0 when it is COMPLETE, 1 when it is not.

    Whatever you leave out is as the stack's parameters say. An export of less is partial: nothing counts it as a backup
    of the environment. While another export is at work that does not bring the same, it waits for that one to end.

    Ctrl-C ends the following, not the export.
    """
    if execution and not _EXECUTION_ARN.fullmatch(execution):
        raise InvalidOptionError(f"--execution {execution!r} is not an execution's ARN (arn:aws:states:...).")
    target = session.target()
    client = session.aws.client("stepfunctions")
    arn = execution or _start(client, target, _input(fields))
    try:
        return _follow(session, target, Follower(client, arn), started=not execution, to_the_end=follow)
    except KeyboardInterrupt:
        click.echo(
            f"\nNo longer following. The export goes on: {execution_url(arn)}\n"
            f"To follow it again: mwaa-metadata-export export --execution {arn}",
            err=True,
        )
        return INTERRUPTED


def _input(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the execution input that the options say.

    Raises:
        InvalidOptionError: naming everything that is wrong with them.
    """
    if fields["everything"] and fields["max_age_in_days"] is not None:
        raise InvalidOptionError("--everything and --max-age-in-days exclude each other: give only one of them.")
    made: dict[str, Any] = {"trigger": "manual", "force": fields["force"]}
    if fields["everything"] or fields["max_age_in_days"] is not None:
        made["max_age_in_days"] = fields["max_age_in_days"]
    made |= {name: list(fields[name]) for name in ("include_tables", "exclude_tables") if fields[name]}
    try:
        parse_input(made)
    except InvalidExportInputError as error:
        raise InvalidOptionError(str(error)) from error
    return made


def _start(client: Any, target: Target, execution_input: Mapping[str, Any]) -> str:
    name = f"cli-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    return start(client, target.output("StateMachineArn"), name, execution_input)


def _follow(session: Session, target: Target, follower: Follower, *, started: bool, to_the_end: bool) -> int:
    arn, screen = follower.execution_arn, session.screen
    if started:
        screen.line("Started", arn)
    screen.line("Console", execution_url(arn), style="dim")
    if not to_the_end:
        if screen.as_json:
            screen.document({"execution_arn": arn, "status": "RUNNING" if started else follower.status()["status"]})
        return OK
    with screen.waiting("waiting for the next step; Ctrl-C ends the following, not the export"):
        execution = _wait(session, target, follower)
    return _conclude(session, execution)


def _wait(session: Session, target: Target, follower: Follower) -> Mapping[str, Any]:
    while True:
        # First the status: what happens between the two calls is in the history.
        execution = follower.status()
        _show_steps(session, target, follower, execution["startDate"].astimezone(UTC))
        if execution["status"] not in ("RUNNING", "PENDING_REDRIVE"):
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


def _conclude(session: Session, execution: Mapping[str, Any]) -> int:
    output = _output(execution)
    outcome = str(output.get("status") or execution["status"])
    started, ended = execution["startDate"], execution.get("stopDate", execution["startDate"])
    took = (ended - started).total_seconds()
    if session.screen.as_json:
        about = {"execution_arn": execution["executionArn"], "status": execution["status"], "seconds": took}
        error = {"error": execution.get("error"), "cause": execution.get("cause")}
        session.screen.document({**about, **error, "export_id": export_id(started.astimezone(UTC)), "output": output})
    session.screen.blank()
    session.screen.line(outcome, f"after {duration(took)}")
    if execution["status"] != "SUCCEEDED":
        session.screen.line(
            f"{execution.get('error') or ''}: {execution.get('cause') or 'no cause was given'}", style="red"
        )
        return BAD
    if outcome == COMPLETE:
        delivered = f"{counted(output['total_tables'], 'table')}, {counted(output['total_rows'], 'row')}"
        session.screen.line(f"{delivered}: {output['summary_uri']}")
        if output.get("scope") == PARTIAL:
            session.screen.line(f"Partial ({output.get('covers')}): no backup of the environment.", style="yellow")
        return OK
    session.screen.line(str(output.get("reason") or ""), str(output.get("winner") or ""))
    return OK if outcome == "ALREADY_EXPORTED" else BAD


def _output(execution: Mapping[str, Any]) -> dict[str, Any]:
    try:
        output = json.loads(execution.get("output") or "{}")
    except ValueError:
        return {}
    return output if isinstance(output, dict) else {}
