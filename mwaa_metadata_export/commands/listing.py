"""`list`: the exports of an environment."""

from datetime import UTC, datetime
from typing import Any

import click
from export_contracts.errors import ExportError
from export_contracts.figures import count, duration, size

from mwaa_metadata_export.errors import NotFoundError
from mwaa_metadata_export.exports import Export
from mwaa_metadata_export.options import Session, with_session
from mwaa_metadata_export.screen import age


@click.command("list")
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@with_session
def list_exports(session: Session, limit: int) -> None:
    """List the exports, newest first, with age, verdict and size."""
    target = session.target()
    exports = session.exports(target)
    found = exports.newest(limit)
    latest = _latest(exports)
    now = datetime.now(UTC)
    if session.screen.as_json:
        session.screen.document([_document(export, latest, now) for export in found])
        return
    if not found:
        session.screen.line(f"No export yet below s3://{target.where().bucket}/{target.where().root}/.")
        return
    columns = [" export", "age ", "verdict", "tables ", "rows ", "size ", "took ", "by"]
    session.screen.table(columns, [_row(export, now) for export in found])
    session.screen.blank()
    session.screen.line(f"latest: {latest}", style="dim")


def _latest(exports: Any) -> str:
    """Return the id of the latest export, or why there is none."""
    try:
        return str(exports.latest_id())
    except NotFoundError:
        return "no COMPLETE export yet"
    except ExportError as error:
        return str(error)


def _row(export: Export, now: datetime) -> list[str]:
    when = " ".join(age(export.started, now).split()[:2])  # the larger unit says enough
    if export.summary is None:
        return [export.export_id, when, "unknown", "", "", "", "", export.problem or ""]
    facts = _facts(export.summary)
    return [
        export.export_id,
        when,
        facts["status"],
        count(facts["tables"]),
        count(facts["rows"]),
        size(facts["object_bytes"]),
        duration(facts["duration_seconds"]),
        facts["trigger"],
    ]


def _document(export: Export, latest: str, now: datetime) -> dict[str, Any]:
    about = {
        "export_id": export.export_id,
        "age_seconds": round((now - export.started).total_seconds()),
        "latest": export.export_id == latest,
        "summary_key": export.key,
        "problem": export.problem,
    }
    return about | (_facts(export.summary) if export.summary is not None else {"status": "unknown"})


def _facts(summary: Any) -> dict[str, Any]:
    return {
        "status": summary["status"],
        "trigger": summary["trigger"],
        "tables": summary["total_tables"],
        "rows": summary["total_rows"],
        "csv_bytes": sum(table["csv_bytes"] for table in summary["details"].values()),
        "object_bytes": sum(table["object_bytes"] for table in summary["details"].values()),
        "duration_seconds": summary["duration_seconds"],
    }
