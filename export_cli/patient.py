"""An environment as `doctor` examines it, with the hours for which its exports are fresh."""

from datetime import UTC, datetime

from export_cli.checks.finding import Patient
from export_cli.options import Session
from export_cli.target import Target

DEFAULT_FRESH_HOURS = 36  # as AlarmAfterHours of the template


def patient_of(session: Session, target: Target, fresh_hours: int | None = None) -> Patient:
    """Return what is examined; without hours those of the stack's alarm count."""
    hours = fresh_hours or int(target.parameters.get("AlarmAfterHours") or DEFAULT_FRESH_HOURS)
    return Patient(session.aws, target, datetime.now(UTC), hours, session.account)
