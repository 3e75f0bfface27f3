"""What identifies an export, and where its parts are."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote

from export_contracts.coverage import coverage_of
from export_contracts.manifest import SNAPSHOT
from export_contracts.proof import Proof
from export_contracts.proofs import said
from export_contracts.summary import Summary
from export_runtime.console import console, execution_url

from aggregate_results.report.markup import Html, element, foreign, join, link

STARTED_BY = {"dag": "the DAG", "schedule": "the fallback schedule", "manual": "a person"}


def facts(summary: Summary, summary_uri: str, proof: Proof | None) -> Html:
    """Return the key facts as a list of terms and descriptions.

    Args:
        proof: of the newest export that is proven to restore.
    """
    told = [*_facts(summary, summary_uri), ("Proof", _proven(proof))]
    pairs = [element("div", element("dt", term), element("dd", fact)) for term, fact in told]
    return element("dl", *pairs, class_="facts")


def moment(time: datetime) -> str:
    """Return a time, UTC, for people."""
    return f"{time.day} {time:%B %Y, %H:%M:%S} UTC"


def _facts(summary: Summary, summary_uri: str) -> Iterator[tuple[str, str]]:
    arn = summary.execution_arn
    yield "Export", foreign(summary.export_id)
    yield "Started", moment(summary.started)
    yield "Started by", STARTED_BY[summary.trigger]
    yield "Window", _window(summary)
    if asked := coverage_of(summary):
        yield "Asked for", foreign(f"{asked} ({summary.scope})" if summary.scope else asked, 2000)
    if masked := _masked(summary.masked_columns):
        yield "Masked", masked
    yield "Consistency", _consistency(summary.consistency)
    yield "Airflow", foreign(summary.airflow_version or "unknown")
    yield "Schema", _heads(summary.alembic_heads)
    yield (
        "Database",
        f"{foreign(summary.database_name)} on PostgreSQL {foreign(summary.server_version or 'unknown')}",
    )
    version = summary.fernet_key_version
    yield "Fernet key", f"kept as version {foreign(version)} of its secret" if version else "not kept"
    yield "Execution", link(foreign(arn.rpartition(":")[2]), execution_url(arn))
    yield "Summary", _object(summary_uri, arn)
    if summary.exporter_version:
        yield "Exporter", f"MWAA Metadata Export {foreign(summary.exporter_version)}"


def _proven(proof: Proof | None) -> str:
    if proof is None:
        return "no export is proven to restore yet"
    return f"{foreign(proof.export_id)} is the newest export that is {foreign(said(proof))}"


def _window(summary: Summary) -> str:
    if summary.cutoff_date is None:
        return "everything"
    days = summary.max_age_days
    age = "" if days is None else f" ({days} days)"
    return f"what happened since {foreign(summary.cutoff_date)}{age}"


def _masked(columns: Mapping[str, tuple[str, ...]]) -> str:
    names = [f"{table}.{column}" for table, found in sorted(columns.items()) for column in found]
    return f"{foreign(', '.join(names), 2000)}: empty in every row" if names else ""


def _consistency(consistency: str) -> str:
    if consistency == SNAPSHOT:
        return "one snapshot of the database for all tables"
    return "several snapshots, not one for all tables"


def _heads(heads: Mapping[str, tuple[str, ...]]) -> str:
    return foreign(", ".join(head for found in heads.values() for head in found) or "unknown", 300)


def _object(uri: str, arn: str) -> Html:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    region = arn.split(":")[3]
    address = f"{console(arn)}/s3/object/{quote(bucket, safe='')}?region={region}&prefix={quote(key, safe='')}"
    return join(link(foreign(uri, 1200), address))
