"""All environments of an account and region, one line each, the worst first."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click
from click.core import ParameterSource
from export_runtime.errors import ExportError

from export_cli.checks.finding import FAIL, PASS, UNKNOWN, Finding, unknown
from export_cli.errors import AWS, BAD, OK, InvalidOptionError
from export_cli.login import login_advice
from export_cli.options import Session
from export_cli.target import Target, find_targets

_ORDER = (FAIL, UNKNOWN, PASS)
all_environments = click.option(
    "--all", "everywhere", is_flag=True, help="All environments of this account and region, one line each."
)


@dataclass(frozen=True)
class Member:
    """An environment, its stack and what was found of it."""

    environment: str
    stack: str
    finding: Finding


def look_at_all(session: Session, what: str, look: Callable[[Target], Finding]) -> int:
    """Look at every environment, print a line for each, and return the exit code.

    What goes wrong with one environment is its finding, and says nothing of the others.

    Args:
        session: of the command.
        what: is being done, for people who wait.
        look: returns what is found of one environment.

    Raises:
        InvalidOptionError: one environment was named too.
        NotFoundError: there is no stack of this project.
        AwsCallError, AwsUnavailableError: the stacks cannot be listed, or nobody is logged in.
    """
    with session.screen.waiting(what):
        members = sorted(
            _members(session, look), key=lambda each: (_ORDER.index(each.finding.verdict), each.environment)
        )
    if session.screen.as_json:
        session.screen.document([_document(each) for each in members])
    rows = [[each.finding.verdict, each.environment, each.finding.detail] for each in members]
    session.screen.table([" ", "environment", "finding"], rows)
    verdicts = {each.finding.verdict for each in members}
    if verdicts != {PASS}:
        more = f"mwaa-metadata-export doctor -e <environment> {session.account}".strip()
        session.screen.line(f"All about one of them: {more}", style="dim")
    return BAD if FAIL in verdicts else AWS if UNKNOWN in verdicts else OK


def targets(session: Session) -> list[Target]:
    """Return all environments; see ``look_at_all`` for errors."""
    named = [name for name in ("environment", "stack", "bucket") if _given(name)]
    if named:
        raise InvalidOptionError(f"--all and --{named[0]} exclude each other: give only one of them.")
    return find_targets(session.aws)


def _given(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _members(session: Session, look: Callable[[Target], Finding]) -> Iterator[Member]:
    for target in targets(session):
        try:
            finding = look(target)
        except ExportError as error:
            if login_advice(error, None):
                raise
            finding = unknown(str(error), "")
        yield Member(target.environment, target.stack.name if target.stack else "", finding)


def _document(member: Member) -> dict[str, str]:
    return {"environment": member.environment, "stack": member.stack, **asdict(member.finding)}
