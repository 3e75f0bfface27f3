"""The export summary (docs/contracts/export_summary.schema.json): without it there is no export."""

import gzip
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from export_contracts.coverage import COMPLETE
from export_contracts.formats import FORMAT_VERSION
from export_contracts.layout import export_id, started_at
from export_contracts.plan import Export
from export_runtime.compare_and_set import Seen, compare_and_set
from export_runtime.console import log_url
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore, ObjectVersion
from export_runtime.text import one_line

from aggregate_results.event import Event
from aggregate_results.manifest import Manifest
from aggregate_results.verification import GroupOutcome

INCOMPLETE = "INCOMPLETE"


def build_summary(event: Event, outcomes: tuple[GroupOutcome, ...], now: datetime, log_group: str) -> dict[str, Any]:
    """Return the summary.

    Args:
        event: what the state machine passed.
        outcomes: of every planned group.
        now: UTC.
        log_group: where Glue writes what a run prints.
    """
    export = event.export
    manifests = [outcome.manifest for outcome in outcomes if outcome.manifest]
    rows = {name: table.rows for manifest in manifests for name, table in manifest.tables.items()}
    started = started_at(export.export_id)
    return {
        **_identity(event),
        "status": INCOMPLETE if any(outcome.cause for outcome in outcomes) else COMPLETE,
        **_database(manifests),
        "duration_seconds": round((now - started).total_seconds(), 3),
        "total_tables": len(rows),
        "total_rows": sum(rows.values()),
        "tables": rows,
        "details": _details(manifests),
        "skipped_tables": _skipped(export, manifests, rows),
        "uncatalogued_tables": sorted({name for manifest in manifests for name in manifest.uncatalogued_tables}),
        "orphans": {name: number for manifest in manifests for name, number in manifest.orphans.items()},
        "unread_evidence": sorted({name for manifest in manifests for name in manifest.unread_evidence}),
        "masked_columns": {name: names for manifest in manifests for name, names in manifest.masked_columns.items()},
        "failed_groups": [_failed_group(outcome, export, log_group) for outcome in outcomes if outcome.cause],
        "problems": [one_line(problem, 1000) for outcome in outcomes for problem in outcome.problems],
    }


def write_summary(store: ObjectStore, export: Export, summary: dict[str, Any]) -> None:
    """Write the summary under its own key; the same content gives the same bytes.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    text = json.dumps(summary, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    store.write(export.summary_key, gzip.compress(text.encode(), mtime=0), "application/gzip")


def move_latest(store: ObjectStore, export: Export, now: datetime) -> bool:
    """Let latest.json name this COMPLETE and full export, unless it names a newer one.

    Returns:
        Whether it names this export now.

    Raises:
        ContentionError: others kept changing it.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    pointer = {
        "export_id": export.export_id,
        "summary_key": export.summary_key,
        "finished_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }

    def newer(seen: Seen) -> str | None:
        # Export ids are start times: they sort as text.
        pointed = _pointed_to(seen)
        return pointed if pointed > export.export_id else None

    body, look = json.dumps(pointer).encode(), partial(_look, store, export)
    return compare_and_set(store, export.latest_key, body, look, newer) is None


def _identity(event: Event) -> dict[str, Any]:
    export = event.export
    return {
        "format_version": FORMAT_VERSION,
        "export_id": export.export_id,
        "export_timestamp": f"{started_at(export.export_id):%Y-%m-%dT%H:%M:%SZ}",
        "trigger": export.trigger,
        "execution_arn": export.execution_arn,
        "environment": export.environment,
        "airflow_version": event.airflow_version,
        "database_name": event.database_name,
        "cutoff_date": export.cutoff,
        **export.coverage.to_json(),
        "scope": export.scope,
    }


def _database(manifests: list[Manifest]) -> dict[str, Any]:
    owners = {manifest.snapshot_owner for manifest in manifests}
    shared = len(owners) == 1 and all(manifest.consistency == "snapshot" for manifest in manifests)
    return {
        "alembic_heads": dict(manifests[0].alembic_heads) if manifests else {},
        "server_version": manifests[0].server_version if manifests else None,
        "consistency": "snapshot" if shared else "per-group",
    }


def _details(manifests: Iterable[Manifest]) -> dict[str, Any]:
    return {
        name: {"group": manifest.group, **table.content}
        for manifest in manifests
        for name, table in manifest.tables.items()
    }


def _skipped(export: Export, manifests: Iterable[Manifest], exported: dict[str, int]) -> dict[str, str]:
    skipped = dict(export.excluded_tables)
    for manifest in manifests:
        skipped.update(manifest.skipped_tables)
    return {name: one_line(reason, 1000) for name, reason in skipped.items() if name not in exported}


def _failed_group(outcome: GroupOutcome, export: Export, log_group: str) -> dict[str, Any]:
    cause = outcome.cause
    return {
        "group": outcome.group.group,
        "tables": list(outcome.missing),
        "failed_tables": {name: one_line(error, 1000) for name, error in outcome.failed_tables.items()},
        "error": one_line(cause.text, 2000) if cause else "",
        "log_url": log_url(export.execution_arn, log_group, cause.job_run_id if cause else None),
    }


def _look(store: ObjectStore, export: Export) -> Seen:
    try:
        return store.read(export.latest_key)
    except ArchivedObjectError:  # by a lifecycle of somebody's own bucket
        return store.version(export.latest_key)


def _pointed_to(seen: Seen) -> str:
    if isinstance(seen, ObjectVersion):
        # It cannot be read. Whoever wrote it had started before: since this export started, that may be a newer one.
        return export_id(seen.written)
    try:
        content = json.loads(seen.body) if seen else {}
    except ValueError:
        return ""
    return str(content.get("export_id", "")) if isinstance(content, dict) else ""
