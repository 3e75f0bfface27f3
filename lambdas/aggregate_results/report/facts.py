"""What identifies an export, and where its parts are."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from export_contracts.coverage import Coverage
from export_contracts.layout import started_at
from export_runtime.console import console, execution_url

from aggregate_results.report.markup import Html, element, foreign, join, link

TRIGGERS = {"dag": "the DAG", "schedule": "the fallback schedule", "manual": "a person"}


def facts(summary: Mapping[str, Any], summary_uri: str) -> Html:
    """Return the key facts as a list of terms and descriptions."""
    pairs = [element("div", element("dt", term), element("dd", fact)) for term, fact in _facts(summary, summary_uri)]
    return element("dl", *pairs, class_="facts")


def moment(time: datetime) -> str:
    """Return a time, UTC, for people."""
    return f"{time.day} {time:%B %Y, %H:%M:%S} UTC"


def _facts(summary: Mapping[str, Any], summary_uri: str) -> Iterator[tuple[str, str]]:
    arn = summary["execution_arn"]
    yield "Export", foreign(summary["export_id"])
    yield "Started", moment(started_at(summary["export_id"]))
    yield "Started by", TRIGGERS.get(summary["trigger"], foreign(summary["trigger"]))
    yield "Window", _window(summary)
    if asked := Coverage.of(summary):
        yield "Asked for", foreign(f"{asked} ({summary['scope']})" if "scope" in summary else asked, 2000)
    if masked := _masked(summary.get("masked_columns") or {}):
        yield "Masked", masked
    yield "Consistency", _consistency(summary["consistency"])
    yield "Airflow", foreign(summary["airflow_version"] or "unknown")
    yield "Schema", _heads(summary["alembic_heads"])
    yield (
        "Database",
        f"{foreign(summary['database_name'])} on PostgreSQL {foreign(summary['server_version'] or 'unknown')}",
    )
    yield "Execution", link(foreign(arn.rpartition(":")[2]), execution_url(arn))
    yield "Summary", _object(summary_uri, arn)


def _window(summary: Mapping[str, Any]) -> str:
    if summary["cutoff_date"] is None:
        return "everything"
    days = summary["max_age_days"]
    age = f" ({days} days)" if isinstance(days, int) else ""
    return f"what happened since {foreign(summary['cutoff_date'])}{age}"


def _masked(columns: Mapping[str, list[str]]) -> str:
    names = [f"{table}.{column}" for table, found in sorted(columns.items()) for column in found]
    return f"{foreign(', '.join(names), 2000)}: empty in every row" if names else ""


def _consistency(consistency: str) -> str:
    if consistency == "snapshot":
        return "one snapshot of the database for all tables"
    return "several snapshots, not one for all tables"


def _heads(heads: Mapping[str, list[str]]) -> str:
    return foreign(", ".join(head for found in heads.values() for head in found) or "unknown", 300)


def _object(uri: str, arn: str) -> Html:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    region = arn.split(":")[3]
    address = f"{console(arn)}/s3/object/{quote(bucket, safe='')}?region={region}&prefix={quote(key, safe='')}"
    return join(link(foreign(uri, 1200), address))
