"""Verifies an attempt, writes what it brought, and says what comes next."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from export_contracts.summary import FULL, Summary
from export_contracts.wording import LastComplete, find_last_complete, named
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from aggregate_results.alert import write_alert
from aggregate_results.errors import ExportIncompleteError, TableNotInDatabaseError
from aggregate_results.event import Event
from aggregate_results.row_falls import Comparison, compare_rows
from aggregate_results.settings import Settings
from aggregate_results.summary import build_summary, move_latest, write_summary
from aggregate_results.verification import GroupOutcome, verify_groups

Catalogue = Callable[[Summary], tuple[str, ...]]


@dataclass(frozen=True)
class Aggregate:
    """What was found and written."""

    summary: Summary
    summary_uri: str
    covers: str
    """which tables were asked for and how far back, for people"""
    outcomes: tuple[GroupOutcome, ...]
    comparison: Comparison
    last: LastComplete
    """the newest complete export before this one"""
    catalog_problems: tuple[str, ...]
    """what the Glue Data Catalog lacks of this export"""
    lacks_fernet_key: bool
    """whether the key of what it holds encrypted is not kept, though the template says that it shall be"""
    alert: dict[str, str]
    group_seconds: dict[str, float]
    """how long the Glue runs of this attempt that delivered took, by group"""

    @property
    def is_backup(self) -> bool:
        """Whether every planned table is there and verified, and that is all that the stack's parameters ask for."""
        return _is_backup(self.summary)

    def to_json(self) -> dict[str, Any]:
        """Return what the state machine gets (docs/contracts/README.md)."""
        return {
            "status": self.summary.status,
            "scope": self.summary.scope,
            "covers": self.covers,
            "summary_uri": self.summary_uri,
            "total_tables": len(self.summary.details),
            "total_rows": self.summary.total_rows,
            "retry_groups": [outcome.group.to_json() for outcome in self.outcomes if outcome.cause],
            "row_falls": len(self.summary.row_falls),
            "catalog_problems": len(self.catalog_problems),
            "lacks_fernet_key": self.lacks_fernet_key,
            "alert": self.alert,
        }


def aggregate(
    event: Event,
    store: ObjectStore,
    now: datetime,
    settings: Settings,
    catalogue: Catalogue,
) -> Aggregate:
    """Verify every group, write the summary and, when COMPLETE and full, latest.json.

    Args:
        event: what the state machine passed.
        store: export bucket.
        now: UTC.
        settings: what the template configures.
        catalogue: makes a COMPLETE export known to the catalog, and returns what that lacks.

    Raises:
        AwsCallError, AwsUnavailableError, ContentionError: S3 refused or did not answer.
    """
    outcomes = verify_groups(event, store)
    summary = build_summary(event, outcomes, now, settings.log_group)
    comparison = Comparison()
    if summary.complete:
        comparison = compare_rows(store, event.export, summary, settings.fall_percent)
    summary = replace(summary, compared_with=comparison.compared_with, row_falls=comparison.falls)
    write_summary(store, event.export, summary)
    uri = store.uri(event.export.summary_key)
    last = find_last_complete(store, event.export.latest_key)
    if _is_backup(summary):
        move_latest(store, event.export, now)
    problems = catalogue(summary) if summary.complete else ()
    lacks_key = settings.keeps_fernet_key and summary.fernet_key_version is None
    return Aggregate(
        summary=summary,
        summary_uri=uri,
        covers=str(event.export.coverage),
        outcomes=outcomes,
        comparison=comparison,
        last=last,
        catalog_problems=problems,
        lacks_fernet_key=lacks_key,
        alert=write_alert(summary, uri, event.is_retry, last, now, problems, lacks_key),
        group_seconds=_group_seconds(event, outcomes),
    )


def _is_backup(summary: Summary) -> bool:
    return summary.complete and summary.scope == FULL


def _group_seconds(event: Event, outcomes: tuple[GroupOutcome, ...]) -> dict[str, float]:
    # On a retry the other groups are verified again, but they have not run again; and the manifest of a run that failed
    # may be another run's.
    ran = [outcome for outcome in outcomes if outcome.group.group in event.results and not outcome.cause]
    return {outcome.group.group: outcome.manifest.duration_seconds for outcome in ran if outcome.manifest}


def refuse_mistaken_input(found: Aggregate, event: Event) -> None:
    """Fail at once when all that is missing is what the database has not: the same input never brings it.

    Raises:
        TableNotInDatabaseError: on one line, because the alert on failed executions has it as the cause.
    """
    failed = [outcome for outcome in found.outcomes if outcome.cause]
    if not failed or not all(outcome.mistaken for outcome in failed):
        return
    names = named(name for outcome in failed for name in outcome.mistaken)
    raise TableNotInDatabaseError(
        f"include_tables asks for {names}, which is not in the database of {event.export.environment}. Everything else "
        f"that was asked for is exported. Summary: {found.summary_uri}. Start a new export with the right name or "
        "without it, and correct the parameter IncludeTables if it came from there."
    )


def refuse_incomplete_retry(found: Aggregate, event: Event) -> None:
    """Fail when the groups have just run again and the export is incomplete all the same; the summary is written.

    When a redrive repeats the aggregation alone, the state machine runs the incomplete groups instead.

    Raises:
        ExportIncompleteError: on one line, because the alert on failed executions has it as the cause.
    """
    if not event.is_retry or event.is_redriven or found.summary.complete:
        return
    failed = "; ".join(f"{group.group}: {group.error}" for group in found.summary.failed_groups)
    raise ExportIncompleteError(
        f"Export {event.export.export_id} of {event.export.environment} is still INCOMPLETE after the retry. "
        f"{one_line(failed, 4000)}. Summary: {found.summary_uri}. Correct the cause, then redrive the execution: "
        "what is missing of these groups is exported, and nothing else."
    )
