"""Summaries and histories for the report's tests and its picture, made up but of the size of a real environment."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from export_contracts.exported_table import ExportedTable
from export_contracts.findings import FailedGroup
from export_contracts.summary import Selection, Summary

from tests import documents

STARTED = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)
ARN = "arn:aws:states:eu-central-1:123456789012:execution:analytics-prod-metadata-export:scheduled__2026-12-11"
URI = "s3://analytics-prod-exports/exports/analytics-prod-backups/2026/12/11/export_summary_143022.json.gz"
HOSTILE = "<script>alert(1)</script>\"'&\u202e\n<img src=x onerror=alert(2)>"
# table -> group, rows, CSV bytes for a row, seconds
_TABLES = {
    "log": ("logs", 9_412_377, 212, 41.3),
    "task_instance": ("tasks", 3_870_214, 431, 33.8),
    "xcom": ("tasks", 2_944_102, 187, 18.4),
    "rendered_task_instance_fields": ("tasks", 1_102_440, 640, 22.1),
    "job": ("logs", 1_422_001, 166, 9.9),
    "task_reschedule": ("tasks", 402_115, 121, 3.4),
    "dag_run": ("runs", 214_339, 512, 4.2),
    "task_instance_history": ("tasks", 98_220, 440, 2.1),
    "celery_taskmeta": ("logs", 61_002, 220, 1.2),
    "dagrun_asset_event": ("runs", 41_800, 32, 0.6),
    "asset_event": ("runs", 20_411, 214, 0.7),
    "serialized_dag": ("definitions", 318, 21_400, 1.1),
    "dag_code": ("definitions", 318, 14_210, 0.8),
    "dag": ("definitions", 318, 380, 0.2),
    "dag_version": ("definitions", 904, 140, 0.2),
    "ab_permission_view_role": ("definitions", 1_902, 11, 0.2),
    "ab_user": ("definitions", 64, 214, 0.1),
    "connection": ("definitions", 41, 310, 0.1),
    "variable": ("definitions", 112, 204, 0.1),
    "slot_pool": ("definitions", 9, 60, 0.1),
    "_xcom_archive": ("uncatalogued", 12_004, 190, 0.4),
}
_EMPTY = (
    "ab_group",
    "ab_group_role",
    "ab_register_user",
    "backfill",
    "deadline",
    "hitl_detail",
    "sla_miss",
    "task_map",
)
_SKIPPED = dict.fromkeys(
    ("dag_pickle", "dataset", "dataset_event", "task_fail"), "not in this Airflow version's schema"
)
_SKIPPED |= {"session": "excluded: browser sessions, which are credentials"}


def entry(group: str, rows: int, width: int, seconds: float) -> ExportedTable:
    """Return what the summary says of a table."""
    csv = rows * width + 80
    size = max(60, csv // 6)
    return documents.table(group, rows, csv_bytes=csv, object_bytes=size, part_sizes=(size,), duration_seconds=seconds)


def summary(**changes: Any) -> Summary:
    """Return a COMPLETE summary, with changes."""
    details = {name: entry(*values) for name, values in _TABLES.items()}
    details |= {name: entry("definitions", 0, 0, 0.02) for name in _EMPTY}
    made = documents.summary(
        execution_arn=ARN,
        environment="analytics-prod",
        scope=None,
        details=details,
        skipped_tables=_SKIPPED,
        uncatalogued_tables=("_xcom_archive",),
    )
    return replace(made, **changes)


def incomplete() -> Summary:
    """Return a summary in which a group is missing, with every other warning there is."""
    rest = {name: found for name, found in summary().details.items() if found.group != "tasks"}
    failed = FailedGroup(
        group="tasks",
        tables=tuple(name for name, values in _TABLES.items() if values[0] == "tasks"),
        failed_tables={},
        error="Table task_instance: the server ended the connection (57P01 terminating connection due to "
        "administrator command) after 1,204,331 rows. Next: see whether the database was restarted.",
        log_url="https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:log-groups",
    )
    return summary(status="INCOMPLETE", details=rest, failed_groups=(failed,), consistency="per-group")


def hostile(tables: int = 40) -> Summary:
    """Return a summary in which every text that others write tries to break out, of any number of tables."""
    details = {
        f"{number}{HOSTILE}": entry("uncatalogued", 10**number if number < 30 else 5, 9, 0.1)
        for number in range(tables)
    }
    failed = FailedGroup(HOSTILE, (HOSTILE,), {}, HOSTILE * 50, f"javascript:{HOSTILE}")
    return summary(
        status="INCOMPLETE",
        details=details,
        environment=HOSTILE,
        airflow_version=HOSTILE,
        database_name=HOSTILE,
        server_version=HOSTILE,
        alembic_heads={HOSTILE: (HOSTILE,)},
        skipped_tables={f"{number}{HOSTILE}": HOSTILE for number in range(tables)},
        uncatalogued_tables=tuple(details),
        failed_groups=(failed,) * 5,
        problems=(HOSTILE,) * tables,
        selection=Selection((HOSTILE,), (HOSTILE,)),
    )


def history(newest: Summary, length: int = 30) -> tuple[Any, ...]:
    """Return as many exports, one a day, the newest of this summary."""
    from aggregate_results.report.history import past_export

    last = past_export(newest)
    return tuple(_earlier(last, back) for back in reversed(range(length)))


def _earlier(last: Any, back: int) -> Any:
    if back == 0:
        return last
    wave = 1 - back * 0.009 + 0.04 * math.sin(back * 1.7) - (0.12 if back % 7 in (1, 2) else 0)
    failed = back == 12
    scale = wave * (0.4 if failed else 1)
    return replace(
        last,
        export_id=f"{STARTED - timedelta(days=back):%Y%m%dT%H%M%SZ}",
        complete=not failed,
        rows=int(last.rows * scale),
        object_bytes=int(last.object_bytes * scale),
        seconds=round(205 * (2 - wave) * (2.1 if failed else 1), 1),
    )
