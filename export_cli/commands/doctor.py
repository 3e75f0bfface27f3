"""`doctor`: everything that must hold for an environment."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from export_cli.checks.examination import examine
from export_cli.checks.finding import FAIL, PASS, UNKNOWN, Finding, Patient
from export_cli.errors import AWS, BAD, OK, NotFoundError
from export_cli.options import Session, with_session
from export_cli.screen import Screen
from export_cli.target import Target

DEFAULT_FRESH_HOURS = 36  # as AlarmAfterHours of the template


@click.command()
@click.option(
    "--fresh-hours",
    type=click.IntRange(1),
    metavar="N",
    help="How many hours an export counts as fresh. Default: the stack's AlarmAfterHours.",
)
@with_session
def doctor(session: Session, fresh_hours: int | None) -> int:
    """Check everything that must hold for an environment, and say how to fix what does not.

    Exit code 1 when something fails, 3 when nothing fails and something could not be found out.
    """
    target = _target(session)
    hours = fresh_hours or int(target.parameters.get("AlarmAfterHours") or DEFAULT_FRESH_HOURS)
    patient = Patient(session.aws, target, datetime.now(UTC), hours, session.account)
    with session.screen.waiting("examining"):
        findings = dict(examine(patient))
    if session.screen.as_json:
        checks = [{"check": name, **asdict(finding)} for name, finding in findings.items()]
        session.screen.document({"environment": target.environment, "checks": checks})
    else:
        _print(session.screen, findings)
    verdicts = {finding.verdict for finding in findings.values()}
    return BAD if FAIL in verdicts else AWS if UNKNOWN in verdicts else OK


def _target(session: Session) -> Target:
    try:
        return session.target()
    except NotFoundError:
        # Environment and network can be examined before anything is deployed.
        if not session.choice.environment or session.choice.stack:
            raise
        return Target(session.choice.environment, None)


def _print(screen: Screen, findings: dict[str, Finding]) -> None:
    rows = [[finding.verdict, name, finding.detail] for name, finding in findings.items()]
    screen.table(["", "check", "finding"], rows)
    fixes = {name: finding.fix for name, finding in findings.items() if finding.fix}
    if fixes:
        screen.blank()
    for name, fix in fixes.items():
        # A line of its own, never folded: it may be a command to be copied.
        screen.line(f"{name}, fix: {fix}")
    numbers = {verdict: sum(each.verdict == verdict for each in findings.values()) for verdict in (PASS, FAIL, UNKNOWN)}
    screen.blank()
    screen.line(", ".join(f"{number} {verdict}" for verdict, number in numbers.items() if number))
