"""Entry point of the function Aggregate Results."""

import os
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_contracts.fields import to_json
from export_contracts.parquet import PARQUET
from export_contracts.plan import Export
from export_contracts.proof import Proof
from export_contracts.proofs import PROVEN_AGE, WATCH, newest_restorable, proven_age_days
from export_contracts.summary import Summary
from export_contracts.verdict import Verdict, announce
from export_runtime import clients
from export_runtime.errors import ExportError
from export_runtime.observability import observed, publish
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from aggregate_results.aggregation import Aggregate, aggregate, refuse_incomplete_retry, refuse_mistaken_input
from aggregate_results.catalog import Catalog, keep_catalog
from aggregate_results.event import Event, parse_event
from aggregate_results.parquet_columns import remember_columns
from aggregate_results.report.publication import publish_report
from aggregate_results.settings import read_settings

TIME_FOR_THE_REST = 180_000
"""milliseconds that the report and the announcement may need"""
TIME_FOR_PROOFS = 420_000
"""likewise, and before them the proofs, which nobody waits for"""

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics()
proof_metrics = Metrics(service=WATCH)


@observed(logger, tracer, lambda event: str(event["export"]["export_id"]))
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return status, summary, report, groups to retry and alert (docs/contracts/README.md).

    Raises:
        TableNotInDatabaseError: nothing is missing but what the database has not.
        ExportIncompleteError: still incomplete after the retry.
    """
    attempt = parse_event(event)
    export = attempt.export
    store = ObjectStore(clients.s3(), export.bucket)
    settings = read_settings(os.environ)
    catalogue = partial(_catalogue, attempt.export, store, settings.catalog_database, context)
    found = aggregate(attempt, store, datetime.now(UTC), settings, catalogue)
    _observe(found)
    has_time = context.get_remaining_time_in_millis() > TIME_FOR_PROOFS
    proof = _newest_proof(export, store, settings.drills) if has_time else None
    report = _write_report(found, attempt, store, proof, context)
    refuse_mistaken_input(found, attempt)
    refuse_incomplete_retry(found, attempt)
    _announce(found, attempt)
    return found.to_json() | report


def _catalogue(
    export: Export, store: ObjectStore, database: str, context: LambdaContext, summary: Summary
) -> tuple[str, ...]:
    """Make a complete export known to the catalog; return what that lacks."""
    if PARQUET not in export.formats:
        return ()
    try:
        remembered = remember_columns(store, export, summary)
        if not database:
            return ()
        catalog = Catalog(clients.glue(), database, store, export)
        return keep_catalog(catalog, remembered, summary, partial(_has_time, context))
    except Exception as error:
        # Whatever it is: the catalog only shows an export that is there and verified.
        logger.exception("export not catalogued")
        return (one_line(f"{type(error).__name__}: {error}", 500),)


def _has_time(context: LambdaContext) -> bool:
    return context.get_remaining_time_in_millis() > TIME_FOR_THE_REST


def _newest_proof(export: Export, store: ObjectStore, drills: bool) -> Proof | None:
    """Return the proof of the newest export that is proven to restore, and tell how old it is where that is watched."""
    try:
        proof = newest_restorable(store, export.root)
        age = proven_age_days(store, export.root, proof, datetime.now(UTC)) if drills else None
    except ExportError as error:
        # An export is none the worse for it; what is said of proofs is for people.
        logger.warning("proofs not read", detail=str(error))
        return None
    if age is not None:
        publish(proof_metrics, export.environment, {PROVEN_AGE: age})
    return proof


def _write_report(
    found: Aggregate, attempt: Event, store: ObjectStore, proof: Proof | None, context: LambdaContext
) -> dict[str, str | None]:
    try:
        uri = publish_report(store, attempt.export, found.summary, proof, context.get_remaining_time_in_millis)
    except Exception as error:
        # Whatever it is: a page for people is no reason to lose an export that is there and verified.
        logger.exception("report not written")
        return {"report_uri": None, "report_error": one_line(f"{type(error).__name__}: {error}", 500)}
    return {"report_uri": uri, "report_error": None}


def _announce(found: Aggregate, attempt: Event) -> None:
    summary = found.summary
    problem = announce(
        clients.event_bus(),
        Verdict(
            environment=summary.environment,
            export_id=summary.export_id,
            execution_arn=summary.execution_arn,
            verdict=summary.status,
            is_final=summary.complete,
            recovered=summary.complete and attempt.is_retry,
            error="",
            summary=summary,
            summary_uri=found.summary_uri,
            last_complete=summary.export_id if found.is_backup else found.last.export_id,
            alert=found.alert,
        ),
    )
    if problem:
        logger.error("verdict not announced", detail=problem)


def _observe(found: Aggregate) -> None:
    summary = found.summary
    for failed in summary.failed_groups:
        logger.error("group failed", **to_json(failed))
    for fall in summary.row_falls:
        logger.warning("rows fell", **to_json(fall))
    if found.lacks_fernet_key:
        logger.warning("the Fernet key is not kept")
    for problem in found.catalog_problems:
        logger.warning("not in the catalog", detail=problem)
    if found.comparison.explained:
        logger.info("tables gone with another version of Airflow", tables=found.comparison.explained)
    if found.comparison.problem:
        logger.warning("rows not compared with the previous export", detail=found.comparison.problem)
    figures = {"tables": len(summary.details), "rows": summary.total_rows}
    logger.info("aggregated", extra={"status": summary.status, "scope": summary.scope, **figures})
    values = {
        "Rows": summary.total_rows,
        "Bytes": summary.object_bytes,
        "Seconds": summary.duration_seconds,
        "GroupsFailed": len(summary.failed_groups),
        "ExportsComplete": int(found.is_backup),
        "LargestRowFallPercent": found.comparison.largest_percent,
    }
    seconds = found.group_seconds
    # AWS documented: Glue bills each run by the second, and at least a minute. https://aws.amazon.com/glue/pricing/
    values["BilledSeconds"] = sum(max(60.0, run) for run in seconds.values())
    # Of when it began: an export that is redriven days later makes no database backed up since.
    publish(metrics, summary.environment, values, moment=summary.started)
    for group, run in seconds.items():
        publish(metrics, summary.environment, {"GroupSeconds": run}, group=group, moment=summary.started)
