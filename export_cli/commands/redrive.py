"""`redrive`: a failed execution exports what is missing, or goes on with a restore."""

import click

from export_cli.executions import Follower, failed_execution
from export_cli.executions import redrive as redrive_execution
from export_cli.following import follow as follow_execution
from export_cli.options import Session, with_session


@click.command()
@click.argument("export", required=False)
@click.option(
    "--restore", "of_restores", is_flag=True, help="A restore into the environment, by its id; not an export."
)
@click.option("--follow/--no-follow", default=True, help="Wait for its end, showing what happens. Default: follow.")
@with_session
def redrive(session: Session, export: str | None, of_restores: bool, follow: bool) -> int:
    """Let a failed EXPORT go on with what is missing, into the same keys. Default: the newest execution.

    With --restore a failed restore into the environment goes on with the state that failed.

    Correct the cause first. It can be done for 14 days. Exit code 0 when the export is COMPLETE, or
    restored, then, 1 when it is not.
    """
    target = session.target()
    client = session.aws.client("stepfunctions")
    machine = target.output("RestoreStateMachineArn" if of_restores else "StateMachineArn")
    arn = failed_execution(client, machine, export)
    follower = Follower(client, arn)
    follower.skip()
    redrive_execution(client, arn)
    session.screen.line("Redriven", arn)
    return follow_execution(session, target, follower, to_the_end=follow)
