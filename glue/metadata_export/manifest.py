"""What a run says it has done: docs/contracts/group_manifest.schema.json."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from metadata_export.arguments import Arguments
from metadata_export.catalog import Catalog
from metadata_export.plan import Selection
from metadata_export.snapshot import Snapshot
from metadata_export.work import ExportedTable

FORMAT_VERSION = 1


def build_manifest(
    arguments: Arguments,
    catalog: Catalog,
    alembic_heads: Mapping[str, Sequence[str]],
    snapshot: Snapshot,
    selection: Selection,
    tables: Sequence[ExportedTable],
    started: datetime,
    finished: datetime,
) -> dict[str, Any]:
    """Return the group manifest; the tables in alphabetical order."""
    return {
        "format_version": FORMAT_VERSION,
        "export_id": arguments.export_id,
        "group": arguments.group,
        "job_run_id": arguments.job_run_id,
        "database": {
            "name": arguments.database_name,
            "server_version": catalog.server_version,
            "alembic_heads": {table: list(heads) for table, heads in alembic_heads.items()},
        },
        "consistency": snapshot.consistency,
        "snapshot": {"role": snapshot.role, "claimed_by": snapshot.claimed_by, "reason": snapshot.reason},
        "cutoff": _iso(arguments.cutoff) if arguments.cutoff else None,
        "max_age_in_days": arguments.max_age_in_days,
        "started_at": _iso(started),
        "finished_at": _iso(finished),
        "duration_seconds": round((finished - started).total_seconds(), 3),
        "tables": {each.extract.table: _table(each) for each in sorted(tables, key=lambda each: each.extract.table)},
        "skipped_tables": dict(selection.skipped),
        "uncatalogued_tables": list(selection.uncatalogued),
        "masked_columns": {each.extract.table: list(each.extract.masked) for each in tables if each.extract.masked},
    }


def _table(exported: ExportedTable) -> dict[str, Any]:
    extract, uploaded = exported.extract, exported.object
    return {
        "key": extract.key,
        "rows": uploaded.rows,
        "csv_bytes": uploaded.csv_bytes,
        "object_bytes": uploaded.object_bytes,
        "checksum_sha256": uploaded.checksum_sha256,
        "part_sizes": list(uploaded.part_sizes),
        "columns": [{"name": column.name, "type": column.type} for column in extract.columns],
        "window": extract.rule,
        "duration_seconds": round(exported.seconds, 3),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
