"""The documents of an export, made up through their types and held to their schemas."""

from dataclasses import replace
from functools import cache
from typing import Any

from export_contracts.exported_table import Column, ExportedTable
from export_contracts.manifest import Database, Manifest, Snapshot
from export_contracts.parquet import ParquetColumn, ParquetFile, ParquetFiles
from export_contracts.pointer import Pointer
from export_contracts.summary import Selection, Summary

from tests.contracts import violations

ARN = "arn:aws:states:eu-central-1:123456789012:execution:prod-metadata-export:mine"
EXPORT_ID = "20261211T143022Z"
RUN_ID = "jr_" + "a1" * 32


def table(group: str = "definitions", rows: int = 3, **changes: Any) -> ExportedTable:
    """Return an exported table, with changes."""
    made = ExportedTable(
        group=group,
        key="exports/prod-backups/2026/12/11/dag_143022.csv.gz",
        rows=rows,
        csv_bytes=100,
        object_bytes=17,
        checksum_sha256="abc=",
        part_sizes=(17,),
        columns=(Column("id", "integer"),),
        window="full",
        duration_seconds=0.5,
        content_checksum="xxh3-sum:00000000000000ff",
    )
    return replace(made, **changes)


def parquet(
    prefix: str = "exports/prod-backups/parquet/dag/export_id=20261211T143022Z/", rows: int = 3
) -> ParquetFiles:
    """Return Parquet files of a table."""
    columns = (ParquetColumn("id", "int", "id"),)
    return ParquetFiles(columns, (ParquetFile(f"{prefix}part-1.parquet", rows, 17, "abc="),), {"id": 1})


def of_rows(rows: dict[str, int], group: str = "definitions") -> dict[str, ExportedTable]:
    """Return tables of one group with so many rows."""
    return {name: table(group, number) for name, number in rows.items()}


@cache
def _summary() -> Summary:
    return Summary(
        format_version=2,
        export_id=EXPORT_ID,
        export_timestamp="2026-12-11T14:30:22Z",
        trigger="dag",
        execution_arn=ARN,
        environment="prod",
        airflow_version="3.0.6",
        database_name="AirflowMetadata",
        cutoff_date="2026-11-11T14:30:22Z",
        max_age_days=30,
        selection=Selection(),
        scope="full",
        status="COMPLETE",
        alembic_heads={"alembic_version": ("29ce7909c52b",)},
        server_version="15.18",
        consistency="snapshot",
        duration_seconds=211.4,
        details=of_rows({"dag": 3}),
        skipped_tables={},
        uncatalogued_tables=(),
        orphans={},
        unread_evidence=(),
        masked_columns={},
        failed_groups=(),
        problems=(),
    )


def summary(**changes: Any) -> Summary:
    """Return the summary of a COMPLETE and full export, with changes."""
    return replace(_summary(), **changes)


@cache
def _manifest() -> Manifest:
    return Manifest(
        format_version=2,
        export_id=EXPORT_ID,
        group="definitions",
        job_run_id=RUN_ID,
        database=Database("AirflowMetadata", "15.18", {"alembic_version": ("29ce7909c52b",)}),
        consistency="snapshot",
        snapshot=Snapshot("imported", RUN_ID, None),
        cutoff="2026-11-11T14:30:22Z",
        max_age_in_days=30,
        started_at="2026-12-11T14:31:00Z",
        finished_at="2026-12-11T14:32:00Z",
        duration_seconds=60.0,
        tables=of_rows({"dag": 3}),
        failed_tables={},
        skipped_tables={},
        uncatalogued_tables=(),
        orphans={},
        unread_evidence=(),
        masked_columns={},
    )


def manifest(**changes: Any) -> Manifest:
    """Return the manifest of a group that delivered everything, with changes."""
    return replace(_manifest(), **changes)


def pointer(summary_key: str, export_id: str = EXPORT_ID) -> Pointer:
    """Return a pointer to a summary."""
    return Pointer(export_id, summary_key, "2026-12-11T14:33:54Z")


def of_format_1(document: Summary | Manifest) -> dict[str, Any]:
    """Return a document as it was written before there was a format 2."""
    content = document.to_json() | {"format_version": 1}
    for name in ("scope", "selection", "failed_tables", "orphans", "unread_evidence", "masked_columns", "schema"):
        content.pop(name, None)
    for group in content.get("failed_groups", ()):
        del group["failed_tables"]
    for table in content["tables" if isinstance(document, Manifest) else "details"].values():
        for name in ("content_checksum", "primary_key", "foreign_keys", "sequences"):
            table.pop(name, None)
    return content


def stored(document: Summary | Pointer) -> bytes:
    """Return the content of a document's object, which its schema allows."""
    contract = "export_summary" if isinstance(document, Summary) else "pointer"
    assert violations(contract, document.to_json()) == []
    return document.to_bytes()
