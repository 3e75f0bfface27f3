"""`repair`: the stack's resources, as the template says."""

from dataclasses import asdict

import click

from export_cli.drift import Drift, discard, find_drift, revert
from export_cli.errors import BAD, OK, NotFoundError
from export_cli.options import Session, with_session

_DONE = "UPDATE_COMPLETE"


@click.command()
@click.option("--yes", is_flag=True, help="Make these changes. Without it they are only shown.")
@with_session
def repair(session: Session, yes: bool) -> int:
    """Recreate what somebody deleted from the stack, and undo what somebody changed by hand.

    A deployment does not: it compares templates only. Exit code 1 when something differs and is left that way.
    """
    stack = session.target().stack
    if stack is None:
        raise NotFoundError("There is no stack to repair. Name it with --stack, or deploy it.")
    with session.screen.waiting(f"comparing {stack.name} with what is there"):
        drift = find_drift(session.aws, stack)
    session.screen.table(["", "resource", "type"], [[each.action, each.resource, each.kind] for each in drift.changes])
    status = _carry_out(session, drift, yes) if drift.changes else ""
    if session.screen.as_json:
        changes = [asdict(each) for each in drift.changes]
        session.screen.document({"stack": stack.name, "changes": changes, "status": status or None})
    _conclude(session, drift, status)
    return OK if not drift.changes or status == _DONE else BAD


def _carry_out(session: Session, drift: Drift, yes: bool) -> str:
    if not yes:
        discard(session.aws, drift)
        return ""
    with session.screen.waiting(f"changing {drift.stack}"):
        return revert(session.aws, drift)


def _conclude(session: Session, drift: Drift, status: str) -> None:
    if not drift.changes:
        session.screen.line("ok", f"{drift.stack} is what its template says, as far as CloudFormation can tell.")
    elif not status:
        session.screen.line("Nothing was changed. To change it, repeat with --yes.")
    elif status == _DONE:
        session.screen.line("ok", f"{drift.stack} is {status}.")
    else:
        session.screen.line("bad", f"{drift.stack} is {status}: its events in the CloudFormation console say why.")
