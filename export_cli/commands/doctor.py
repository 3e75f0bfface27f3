"""`doctor`: everything that must hold for an environment."""

from dataclasses import asdict
from functools import partial

import click

from export_cli.checks.examination import examine
from export_cli.checks.finding import FAIL, PASS, UNKNOWN, Finding, passed
from export_cli.errors import AWS, BAD, OK, NotFoundError
from export_cli.fleet import all_environments, look_at_all
from export_cli.options import Session, with_session
from export_cli.patient import patient_of
from export_cli.screen import Screen
from export_cli.target import Target


@click.command()
@click.option(
    "--fresh-hours",
    type=click.IntRange(1),
    metavar="N",
    help="How many hours an export counts as fresh. Default: the stack's AlarmAfterHours.",
)
@all_environments
@with_session
def doctor(session: Session, fresh_hours: int | None, everywhere: bool) -> int:
    """Check everything that must hold for an environment, and say how to fix what does not.

    Exit code 1 when something fails, 3 when nothing fails and something could not be found out.
    """
    if everywhere:
        return look_at_all(session, "examining all environments", partial(_in_short, session, fresh_hours))
    target = _target(session)
    patient = patient_of(session, target, fresh_hours)
    with session.screen.waiting("examining"):
        findings = dict(examine(patient))
    if session.screen.as_json:
        checks = [{"check": name, **asdict(finding)} for name, finding in findings.items()]
        session.screen.document({"environment": target.environment, "checks": checks})
    else:
        _print(session.screen, findings)
    verdicts = {finding.verdict for finding in findings.values()}
    return BAD if FAIL in verdicts else AWS if UNKNOWN in verdicts else OK


def _in_short(session: Session, fresh_hours: int | None, target: Target) -> Finding:
    """Return the findings of all checks in one."""
    findings = dict(examine(patient_of(session, target, fresh_hours)))
    by_verdict = {
        verdict: [name for name, finding in findings.items() if finding.verdict == verdict]
        for verdict in (FAIL, UNKNOWN)
    }
    bad = [f"{len(names)} {verdict}: {', '.join(names)}" for verdict, names in by_verdict.items() if names]
    if not bad:
        return passed(f"all {len(findings)} checks pass")
    see = f"mwaa-metadata-export doctor -e {target.environment} {session.account}".strip()
    return Finding(FAIL if by_verdict[FAIL] else UNKNOWN, "; ".join(bad), see)


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
    screen.table([" ", " check", "finding"], rows)
    fixes = {name: finding.fix for name, finding in findings.items() if finding.fix}
    if fixes:
        screen.blank()
    for name, fix in fixes.items():
        # A line of its own, never folded: it may be a command to be copied.
        screen.line(f"{name}, fix: {fix}")
    numbers = {verdict: sum(each.verdict == verdict for each in findings.values()) for verdict in (PASS, FAIL, UNKNOWN)}
    screen.blank()
    screen.line(", ".join(f"{number} {verdict}" for verdict, number in numbers.items() if number))
