"""What a run says it has done: docs/contracts/group_manifest.schema.json."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from metadata_export.content import content_checksum
from metadata_export.delivery import Delivery, Kept
from metadata_export.plan import Extract, GroupPlan
from metadata_export.request import GroupRun
from metadata_export.snapshot import Snapshot
from metadata_export.work import ExportedTable

FORMAT_VERSION = 2


def build_manifest(
    run: GroupRun,
    plan: GroupPlan,
    alembic_heads: Mapping[str, Sequence[str]],
    snapshot: Snapshot,
    delivery: Delivery,
    started: datetime,
    finished: datetime,
) -> dict[str, Any]:
    """Return the group manifest; the tables in alphabetical order."""
    exported = {each.extract.table: _table(each) for each in delivery.tables}
    tables = {**delivery.kept.tables, **exported}
    return {
        **identity(run),
        "job_run_id": run.job_run_id,
        "database": {
            "name": run.database_name,
            "server_version": plan.catalog.server_version,
            "alembic_heads": {table: list(heads) for table, heads in alembic_heads.items()},
        },
        **_moment(snapshot, delivery),
        "started_at": _iso(started),
        "finished_at": _iso(finished),
        "duration_seconds": round((finished - started).total_seconds(), 3),
        "tables": dict(sorted(tables.items())),
        "failed_tables": dict(sorted(delivery.failed.items())),
        "skipped_tables": {**plan.selection.skipped, **delivery.gone},
        "uncatalogued_tables": [name for name in plan.selection.uncatalogued if name not in delivery.gone],
        "orphans": {each: n for each, n in plan.orphans.items() if each in exported} | dict(delivery.kept.orphans),
        "unread_evidence": list(plan.unread_evidence),
        "masked_columns": {e.table: list(e.masked) for e in plan.extracts if e.masked and e.table in tables},
    }


def identity(run: GroupRun) -> dict[str, Any]:
    """Return what the manifests of all attempts at this group have in common."""
    return {
        "format_version": FORMAT_VERSION,
        "export_id": run.export_id,
        "group": run.group,
        "cutoff": _iso(run.cutoff) if run.cutoff else None,
        "max_age_in_days": run.max_age_in_days,
    }


def file_of(extract: Extract) -> dict[str, Any]:
    """Return what is known of a table's file before it is there: the same in all attempts, unless the table changed."""
    return {
        "key": extract.key,
        "columns": [{"name": column.name, "type": column.type} for column in extract.columns],
        "window": extract.rule,
        "primary_key": list(extract.primary_key),
        "foreign_keys": [
            {
                "name": key.name,
                "columns": list(key.columns),
                "parent": key.parent,
                "parent_columns": list(key.parent_columns),
            }
            for key in extract.foreign_keys
        ],
        "sequences": [{"name": each.name, "column": each.column} for each in extract.sequences],
    }


def _table(exported: ExportedTable) -> dict[str, Any]:
    uploaded = exported.object
    return {
        **file_of(exported.extract),
        "rows": uploaded.rows,
        "csv_bytes": uploaded.csv_bytes,
        "object_bytes": uploaded.object_bytes,
        "checksum_sha256": uploaded.checksum_sha256,
        "content_checksum": content_checksum(uploaded.content),
        "part_sizes": list(uploaded.part_sizes),
        "duration_seconds": round(exported.seconds, 3),
        **_parquet(exported),
        "access": exported.extract.access.to_json(len(exported.extract.statements)),
    }


def _parquet(exported: ExportedTable) -> dict[str, Any]:
    target, files = exported.extract.parquet, exported.parquet
    return {"parquet": files.to_json(target)} if target is not None and files is not None else {}


def _moment(snapshot: Snapshot, delivery: Delivery) -> dict[str, Any]:
    """Return which snapshot the tables show; those that were kept may show another one."""
    kept = delivery.kept
    own = {"role": snapshot.role, "claimed_by": snapshot.claimed_by, "reason": snapshot.reason}
    if not kept.tables or _is_shared(kept, snapshot):
        return {"consistency": snapshot.consistency, "snapshot": own}
    if not delivery.tables:
        return {"consistency": kept.consistency, "snapshot": dict(kept.snapshot)}
    total = len(kept.tables) + len(delivery.tables)
    reason = f"{len(kept.tables)} of {total} tables show another snapshot, that of the attempt {kept.job_run_id}"
    more = f"; {snapshot.reason}" if snapshot.reason else ""
    return {"consistency": "per-group", "snapshot": {**own, "reason": f"{reason}{more}"}}


def _is_shared(kept: Kept, snapshot: Snapshot) -> bool:
    both = kept.consistency == snapshot.consistency == "snapshot"
    return both and kept.snapshot.get("claimed_by") == snapshot.claimed_by


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
