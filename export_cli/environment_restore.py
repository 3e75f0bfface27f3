"""Restores an export into an MWAA environment: by the state machine of that environment's stack, which is followed."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click
from export_contracts.summary import Summary
from export_runtime.figures import count
from plan_restore.errors import InvalidRestoreInputError
from plan_restore.restore_input import parse_input

from export_cli.errors import InvalidOptionError, NotFoundError
from export_cli.executions import Follower, start
from export_cli.following import follow
from export_cli.options import Session
from export_cli.target import Choice, Target, find_target

_SECRET = "secretsmanager:"  # noqa: S105 - a form of the option
_KEPT = "What is there is exported first. Then Airflow's tables are overwritten, while it runs."


def restore_into_environment(
    session: Session, export: str, environment: str, options: Mapping[str, Any], old_key: str | None, yes: bool
) -> int:
    """Start the restore and follow it; return the exit code.

    Args:
        session: of the command. Without a choice of its own the export is one of the environment itself.
        export: which one.
        environment: that is overwritten.
        options: fields of the input.
        old_key: where the exported environment's Fernet keys are, ``secretsmanager:ARN``; None: with the target's.
        yes: do not ask.

    Raises:
        NotFoundError: there is no such export, or the environment's stack does not allow restores.
        InvalidOptionError: an option is not allowed, or nobody can be asked.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    target = find_target(session.aws, Choice(environment))
    machine = _machine(target)
    source = _source(session, environment)
    found = session.exports(source).find(export)
    summary = found.read()
    given = _input(environment, f"s3://{source.where().bucket}/{found.key}", options, old_key)
    _show(session, summary, environment)
    _confirm(session, environment, yes)
    client = session.aws.client("stepfunctions")
    name = f"cli-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    arn = start(client, machine, name, given)
    session.screen.line("Started", arn)
    return follow(session, target, Follower(client, arn), to_the_end=True)


def _machine(target: Target) -> str:
    try:
        return target.output("RestoreStateMachineArn")
    except NotFoundError as error:
        raise NotFoundError(
            f"The stack of {target.environment} lets nothing be restored: deploy it with AllowRestore=true."
        ) from error


def _source(session: Session, environment: str) -> Target:
    choice = session.choice
    if not (choice.environment or choice.stack):
        choice = replace(choice, environment=environment)
    return find_target(session.aws, choice)


def _input(environment: str, uri: str, options: Mapping[str, Any], old_key: str | None) -> dict[str, Any]:
    """Return the execution input.

    Raises:
        InvalidOptionError: naming everything that is wrong with it.
    """
    given = {"summary_uri": uri, "confirm": environment, **options}
    if old_key is not None:
        if not old_key.startswith(_SECRET):
            raise InvalidOptionError(
                "With --to-environment, --old-fernet-key names a secret that the state machine reads: "
                "secretsmanager:ARN. What was given is none."
            )
        given["old_fernet_key"] = old_key.removeprefix(_SECRET)
    try:
        parse_input(given, environment)
    except InvalidRestoreInputError as error:
        raise InvalidOptionError(str(error)) from error
    return given


def _show(session: Session, summary: Summary, environment: str) -> None:
    facts = {
        "export": f"{summary.export_id} of {summary.environment}, Airflow {summary.airflow_version or 'not known'}",
        "into": f"the MWAA environment {environment}",
        "tables": f"{count(len(summary.details))} with {count(summary.total_rows)} rows",
    }
    session.screen.facts(facts)
    session.screen.line(_KEPT, style="yellow")


def _confirm(session: Session, environment: str, yes: bool) -> None:
    """Have the environment's name repeated.

    Raises:
        InvalidOptionError: nobody can be asked, or another name was given.
    """
    if yes:
        return
    if session.screen.as_json or not click.get_text_stream("stdin").isatty():
        raise InvalidOptionError(f"Nobody can be asked here: say --yes to overwrite {environment}.")
    if click.prompt(f"Name of the environment that is overwritten ({environment})", err=True) != environment:
        raise InvalidOptionError(f"That is not {environment}. Nothing was started.")
