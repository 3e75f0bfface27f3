"""`list --expiring`: what the bucket's lifecycle deletes next."""

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

from export_runtime.figures import counted

from export_cli.checks.lifecycle import Lifecycle, Objects
from export_cli.errors import OK
from export_cli.exports import Export, Exports
from export_cli.keeping import bucket_rules, kept_ids
from export_cli.options import Session
from export_cli.target import Target


def list_expiring(session: Session, target: Target, limit: int) -> int:
    """List the oldest exports with the day on which they are deleted, and return the exit code.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    exports, where = session.exports(target), target.where()
    rules, now = bucket_rules(session.aws, where.bucket), datetime.now(UTC)
    days = expiry_days(rules, f"{where.root}/")
    found, kept = exports.oldest(limit), kept_ids(session.store(target), where)
    if session.screen.as_json:
        session.screen.document([_document(export, days, kept, now) for export in found])
        return OK
    if days is None:
        session.screen.line(f"No lifecycle rule of {where.bucket} deletes exports after a number of days.")
    rows = [_row(export, exports, days, kept, now) for export in found]
    columns = [" export", " verdict", " deleted on", "in ", " kept", "scope"]
    session.screen.table(columns, rows, drop=("scope",))
    if found and days is not None:
        session.screen.blank()
        oldest = found[0].export_id
        session.screen.line(f"To keep one: {session.ours(f'keep {oldest}', target)}", style="dim")
    return OK


def expiry_days(rules: Lifecycle, prefix: str) -> int | None:
    """Return after how many days the objects below a prefix are deleted; None: never, or on a date."""
    return min((days for _, days in rules.expiring(Objects(prefix, inf)) if days), default=None)


def deleted_on(started: datetime, days: int) -> datetime:
    """Return when S3 deletes an export.

    AWS documented: S3 adds the days to the time of an object's creation and rounds up to the next midnight UTC.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
    """
    return (started + timedelta(days=days + 1)).replace(hour=0, minute=0, second=0)


def _row(export: Export, exports: Exports, days: int | None, kept: frozenset[str], now: datetime) -> list[str]:
    verdict = export.summary.status if export.summary else "unknown"
    when = deleted_on(export.started, days) if days is not None else None
    left = "" if when is None else counted(max((when - now).days, 0), "day")
    return [
        export.export_id,
        verdict,
        f"{when:%Y-%m-%d}" if when else "never",
        left,
        "kept" if export.export_id in kept else "",
        exports.scope(export) if export.summary else export.problem or "",
    ]


def _document(export: Export, days: int | None, kept: frozenset[str], now: datetime) -> dict[str, Any]:
    when = deleted_on(export.started, days) if days is not None else None
    return {
        "export_id": export.export_id,
        "status": export.summary.status if export.summary else "unknown",
        "deleted_on": f"{when:%Y-%m-%d}" if when else None,
        "days_left": max((when - now).days, 0) if when else None,
        "kept": export.export_id in kept,
    }
