"""Makes the plan of a restore (docs/contracts/restore_plan.schema.json) from the summary of an export.

The engine that reads it, glue/metadata_restore, has no other knowledge of the export.
"""

from collections.abc import Collection, Mapping
from typing import Any

from export_runtime.errors import TerminalError
from export_runtime.text import one_line

from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import ExportedTable
from export_contracts.fields import to_json
from export_contracts.summary import Summary

FORMAT_VERSION = 1
_SHOWN = 10


class NotRestorableError(TerminalError):
    """There is nothing to be restored as it was asked for."""


def restore_plan(summary: Summary, bucket: str, tables: Collection[str] = ()) -> dict[str, Any]:
    """Return the plan document.

    Args:
        summary: of the export.
        bucket: where its objects are.
        tables: only these; none: all of the export, which must be COMPLETE then.

    Raises:
        NotRestorableError: the export lacks a table.
    """
    if unknown := sorted(set(tables) - summary.details.keys()):
        raise NotRestorableError(f"Export {summary.export_id} has no table {_several(unknown)}.")
    if not summary.complete and not tables:
        raise NotRestorableError(
            f"Export {summary.export_id} is {summary.status}: tables are missing (see the command show), so it cannot "
            "be restored as a whole. Choose another export, or name the tables (--table)."
        )
    chosen = {name: table for name, table in sorted(summary.details.items()) if not tables or name in tables}
    return {
        "format_version": FORMAT_VERSION,
        "export_id": summary.export_id,
        "bucket": bucket,
        "airflow_version": summary.airflow_version,
        "alembic_heads": to_json(summary.alembic_heads),
        "tables": [_table(name, table) for name, table in chosen.items()],
        "whole": len(chosen) == len(summary.details),
        "sequences": to_json(summary.schema.sequences) if summary.schema else None,
        "orphans": _of(chosen, {name: number for name, number in summary.orphans.items() if number}),
        "masked_columns": to_json(_of(chosen, summary.masked_columns)),
        "schema": _schema(summary.schema) if summary.schema else None,
        "fernet_key_version": summary.fernet_key_version,
    }


def _schema(schema: ExportedSchema) -> dict[str, Any]:
    names = ("key", "object_bytes", "checksum_sha256", "left_out")
    return {name: to_json(getattr(schema, name)) for name in names}


def _table(name: str, table: ExportedTable) -> dict[str, Any]:
    kept = ("key", "rows", "csv_bytes", "object_bytes", "checksum_sha256", "part_sizes", "columns")
    content = {} if table.content_checksum is None else {"content_checksum": table.content_checksum}
    return {"name": name, **{field: to_json(getattr(table, field)) for field in kept}, **content}


def _of(chosen: Collection[str], told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name in chosen}


def _several(names: list[str]) -> str:
    shown = ", ".join(one_line(name, 80) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
