"""`list`: the exports of an environment."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
from export_contracts.fields import to_json
from export_contracts.proofs import newest_restorable, said
from export_contracts.summary import FULL, PARTIAL, Summary
from export_runtime.errors import ExportError
from export_runtime.figures import count, duration, size

from export_cli.checks.examination import last_export
from export_cli.checks.finding import Finding
from export_cli.commands.expiring import list_expiring
from export_cli.errors import OK, InvalidOptionError, NotFoundError
from export_cli.exports import Export, Exports
from export_cli.fleet import all_environments, look_at_all
from export_cli.options import Session, with_session
from export_cli.patient import patient_of
from export_cli.screen import age
from export_cli.target import Target


@click.command("list")
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@click.option("--expiring", is_flag=True, help="Those that the bucket's lifecycle deletes next, with the day.")
@all_environments
@with_session
def list_exports(session: Session, limit: int, expiring: bool, everywhere: bool) -> int | None:
    """List the exports, newest first, with age, verdict, scope and size.

    An export is full when it was asked for all that the stack's parameters ask for; of a partial one its tables and age
    are named. Latest is the newest that is COMPLETE and full. With --all: whether each environment has a fresh
    one; exit code 1 when one has not.
    """
    if everywhere and expiring:
        raise InvalidOptionError("--all and --expiring exclude each other: what expires is listed for one environment.")
    if everywhere:
        return look_at_all(session, "looking at all environments", partial(_last, session))
    target = session.target()
    if expiring:
        return list_expiring(session, target, limit)
    exports = session.exports(target)
    found = exports.newest(limit)
    latest = _latest(exports)
    now = datetime.now(UTC)
    if session.screen.as_json:
        session.screen.document([_document(export, exports, latest, now) for export in found])
        return OK
    if not found:
        session.screen.line(f"No export yet below s3://{target.where().bucket}/{target.where().root}/.")
        return OK
    columns = [" export", "age ", " verdict", "tables ", "rows ", "size ", "took ", " by", "scope"]
    drop = ("took ", " by", "size ", "tables ", "rows ")
    session.screen.table(columns, [_row(export, exports, now) for export in found], drop=drop)
    session.screen.blank()
    proof = newest_restorable(session.store(target), target.where().root)
    proven = f"{proof.export_id} is {said(proof)}" if proof else "none is proven to restore: see the command prove"
    session.screen.line(proven, style="dim")
    session.screen.line(f"latest: {latest}", style="dim")
    return OK


def _last(session: Session, target: Target) -> Finding:
    return last_export(patient_of(session, target))


def _latest(exports: Exports) -> str:
    """Return the id of the latest export, or why there is none."""
    try:
        return exports.latest().export_id
    except NotFoundError as error:
        return f"none. {error}"
    except ExportError as error:
        return str(error)


def _row(export: Export, exports: Exports, now: datetime) -> list[str]:
    when = " ".join(age(export.started, now).split()[:2])  # the larger unit says enough
    if export.summary is None:
        return [export.export_id, when, "unknown", "", "", "", "", "", export.problem or ""]
    summary = export.summary
    return [
        export.export_id,
        when,
        summary.status,
        count(len(summary.details)),
        count(summary.total_rows),
        size(summary.object_bytes),
        duration(summary.duration_seconds),
        summary.trigger,
        exports.scope(export),
    ]


def _document(export: Export, exports: Exports, latest: str, now: datetime) -> dict[str, Any]:
    about = {
        "export_id": export.export_id,
        "age_seconds": round((now - export.started).total_seconds()),
        "latest": export.export_id == latest,
        "summary_key": export.key,
        "problem": export.problem,
    }
    if export.summary is None:
        return about | {"status": "unknown"}
    return about | _facts(export.summary) | {"scope": FULL if exports.is_full(export) else PARTIAL}


def _facts(summary: Summary) -> dict[str, Any]:
    return {
        "status": summary.status,
        "trigger": summary.trigger,
        "tables": len(summary.details),
        "rows": summary.total_rows,
        "csv_bytes": summary.csv_bytes,
        "object_bytes": summary.object_bytes,
        "duration_seconds": summary.duration_seconds,
        "selection": to_json(summary.selection),
        "max_age_days": summary.max_age_days,
    }
