"""`export`: starts an execution and follows it."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from plan_export.errors import InvalidExportInputError
from plan_export.execution_input import parse_input

from export_cli.errors import InvalidOptionError
from export_cli.executions import Follower, start
from export_cli.following import follow as follow_execution
from export_cli.options import Session, with_session
from export_cli.target import Target

_EXECUTION_ARN = re.compile(r"arn:[\w-]+:states:[\w-]+:\d{12}:execution:[^:\s]+:[^:\s]+")


@click.command()
@click.option("--max-age-in-days", "-d", type=int, metavar="DAYS", help="How many days back it reaches, 1 to 3650.")
@click.option("--everything", is_flag=True, help="All rows, whatever their age.")
@click.option(
    "--include-table", "-i", "include_tables", multiple=True, metavar="NAME", help="Only this table. May be repeated."
)
@click.option(
    "--exclude-table", "-x", "exclude_tables", multiple=True, metavar="NAME", help="Not this table. May be repeated."
)
@click.option("--follow/--no-follow", default=True, help="Wait for its end, showing what happens. Default: follow.")
@click.option("--execution", metavar="ARN", help="Start nothing, follow this execution.")
@with_session
def export(session: Session, follow: bool, execution: str | None, **fields: Any) -> int:
    """Start an export and follow it. Exit code 0 when it is COMPLETE, 1 when it is not, 7 when another one is at work.

    Whatever you leave out is as the stack's parameters say. An export of less is partial: nothing counts it as a backup
    of the environment. While another export is at work that does not bring the same, it waits for that one to end.

    Ctrl-C ends the following, not the export.
    """
    if execution and not _EXECUTION_ARN.fullmatch(execution):
        raise InvalidOptionError(f"--execution {execution!r} is not an execution's ARN (arn:aws:states:...).")
    target = session.target()
    client = session.aws.client("stepfunctions")
    arn = execution or _start(client, target, _input(fields))
    if not execution:
        session.screen.line("Started", arn)
    return follow_execution(session, target, Follower(client, arn), to_the_end=follow)


def _input(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the execution input that the options say.

    Raises:
        InvalidOptionError: naming everything that is wrong with them.
    """
    if fields["everything"] and fields["max_age_in_days"] is not None:
        raise InvalidOptionError("--everything and --max-age-in-days exclude each other: give only one of them.")
    made: dict[str, Any] = {"trigger": "manual"}
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
