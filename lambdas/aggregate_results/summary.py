"""Makes the export summary from what was verified, writes it, and moves the pointer to it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from export_contracts.fields import DocumentError
from export_contracts.findings import FailedGroup
from export_contracts.formats import FORMAT_VERSION
from export_contracts.layout import export_id, started_at
from export_contracts.manifest import PER_GROUP, SNAPSHOT, Manifest
from export_contracts.plan import Export
from export_contracts.pointer import Pointer
from export_contracts.summary import COMPLETE, INCOMPLETE, Selection, Summary
from export_runtime.compare_and_set import Seen, compare_and_set
from export_runtime.console import log_url
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore, ObjectVersion
from export_runtime.text import one_line
from export_runtime.version import VERSION

from aggregate_results.event import Event
from aggregate_results.verification import GroupOutcome


def build_summary(event: Event, outcomes: tuple[GroupOutcome, ...], now: datetime, log_group: str) -> Summary:
    """Return the summary, which has not been compared with the export before.

    Args:
        event: what the state machine passed.
        outcomes: of every planned group.
        now: UTC.
        log_group: where Glue writes what a run prints.
    """
    export, started = event.export, started_at(event.export.export_id)
    manifests = [outcome.manifest for outcome in outcomes if outcome.manifest]
    details = {name: table for manifest in manifests for name, table in manifest.tables.items()}
    return Summary(
        format_version=FORMAT_VERSION,
        export_id=export.export_id,
        export_timestamp=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        trigger=export.trigger,
        execution_arn=export.execution_arn,
        environment=export.environment,
        airflow_version=event.airflow_version,
        database_name=event.database_name,
        cutoff_date=export.cutoff,
        max_age_days=export.max_age_in_days,
        selection=Selection(export.include_tables, export.exclude_tables),
        scope=export.scope,
        status=INCOMPLETE if any(outcome.cause for outcome in outcomes) else COMPLETE,
        alembic_heads=manifests[0].database.alembic_heads if manifests else {},
        server_version=manifests[0].database.server_version if manifests else None,
        consistency=_consistency(manifests),
        duration_seconds=round((now - started).total_seconds(), 3),
        details=details,
        skipped_tables=_skipped(export, manifests, details),
        uncatalogued_tables=_sorted(name for manifest in manifests for name in manifest.uncatalogued_tables),
        orphans={name: number for manifest in manifests for name, number in manifest.orphans.items()},
        unread_evidence=_sorted(name for manifest in manifests for name in manifest.unread_evidence),
        masked_columns={name: columns for manifest in manifests for name, columns in manifest.masked_columns.items()},
        failed_groups=tuple(_failed_group(outcome, export, log_group) for outcome in outcomes if outcome.cause),
        problems=tuple(one_line(problem, 1000) for outcome in outcomes for problem in outcome.problems),
        exporter_version=VERSION,
        schema=next((manifest.schema for manifest in manifests if manifest.schema), None),
        fernet_key_version=event.fernet_key_version,
    )


def write_summary(store: ObjectStore, export: Export, summary: Summary) -> None:
    """Write the summary under its own key; the same content gives the same bytes.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    store.write(export.summary_key, summary.to_bytes(), "application/gzip")


def move_latest(store: ObjectStore, export: Export, now: datetime) -> bool:
    """Let latest.json name this COMPLETE and full export, unless it names a newer one.

    Returns:
        Whether it names this export now.

    Raises:
        ContentionError: others kept changing it.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    pointer = Pointer(export.export_id, export.summary_key, f"{now:%Y-%m-%dT%H:%M:%SZ}")

    def newer(seen: Seen) -> str | None:
        # Export ids are start times: they sort as text.
        pointed = _pointed_to(seen)
        return pointed if pointed > export.export_id else None

    look = partial(_look, store, export)
    return compare_and_set(store, export.latest_key, pointer.to_bytes(), look, newer) is None


def _consistency(manifests: list[Manifest]) -> str:
    owners = {manifest.snapshot.claimed_by for manifest in manifests}
    shared = len(owners) == 1 and all(manifest.consistency == SNAPSHOT for manifest in manifests)
    return SNAPSHOT if shared else PER_GROUP


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _skipped(export: Export, manifests: Iterable[Manifest], exported: Mapping[str, object]) -> dict[str, str]:
    skipped = dict(export.excluded_tables)
    for manifest in manifests:
        skipped.update(manifest.skipped_tables)
    return {name: one_line(reason, 1000) for name, reason in skipped.items() if name not in exported}


def _failed_group(outcome: GroupOutcome, export: Export, log_group: str) -> FailedGroup:
    cause = outcome.cause
    return FailedGroup(
        group=outcome.group.group,
        tables=outcome.missing,
        failed_tables={name: one_line(error, 1000) for name, error in outcome.failed_tables.items()},
        error=one_line(cause.text, 2000) if cause else "",
        log_url=log_url(export.execution_arn, log_group, cause.job_run_id if cause else None),
    )


def _look(store: ObjectStore, export: Export) -> Seen:
    try:
        return store.read(export.latest_key)
    except ArchivedObjectError:  # by a lifecycle of somebody's own bucket
        return store.version(export.latest_key)


def _pointed_to(seen: Seen) -> str:
    if isinstance(seen, ObjectVersion):
        # It cannot be read. It names an export that had started when it was written: so if it was written after this
        # export started, that may be a newer one.
        return export_id(seen.written)
    try:
        return Pointer.from_bytes(seen.body).export_id if seen else ""
    except DocumentError:  # whoever damaged it, it leads nowhere
        return ""
