"""Verifies an attempt, writes what it brought, and says what comes next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from export_contracts.coverage import COMPLETE, FULL
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from aggregate_results.alert import write_alert
from aggregate_results.errors import ExportIncompleteError
from aggregate_results.event import Event
from aggregate_results.row_falls import Comparison, compare_rows
from aggregate_results.summary import build_summary, move_latest, write_summary
from aggregate_results.verification import GroupOutcome, verify_groups


@dataclass(frozen=True)
class Aggregate:
    """What was found and written."""

    summary: dict[str, Any]
    summary_uri: str
    covers: str
    """which tables were asked for and how far back, for people"""
    outcomes: tuple[GroupOutcome, ...]
    comparison: Comparison
    alert: dict[str, str]
    group_seconds: dict[str, float]
    """how long the Glue runs of this attempt took that delivered, by group"""

    @property
    def complete(self) -> bool:
        """Whether every planned table is there and verified."""
        return bool(self.summary["status"] == COMPLETE)

    @property
    def is_backup(self) -> bool:
        """Whether that is also everything that the stack's own parameters ask for."""
        return self.complete and self.summary["scope"] == FULL

    def to_json(self) -> dict[str, Any]:
        """Return what the state machine gets (docs/contracts/README.md)."""
        return {
            "status": self.summary["status"],
            "scope": self.summary["scope"],
            "covers": self.covers,
            "summary_uri": self.summary_uri,
            "total_tables": self.summary["total_tables"],
            "total_rows": self.summary["total_rows"],
            "retry_groups": [outcome.group.to_json() for outcome in self.outcomes if outcome.cause],
            "row_falls": len(self.comparison.falls),
            "alert": self.alert,
        }


def aggregate(event: Event, store: ObjectStore, now: datetime, log_group: str, fall_percent: int) -> Aggregate:
    """Verify every group, write the summary and, when COMPLETE and full, latest.json.

    Args:
        event: what the state machine passed.
        store: export bucket.
        now: UTC.
        log_group: where Glue writes what a run prints.
        fall_percent: how far the rows of a table may fall without being named.

    Raises:
        AwsCallError, AwsUnavailableError, ContentionError: S3 refused or did not answer.
    """
    outcomes = verify_groups(event, store)
    summary = build_summary(event, outcomes, now, log_group)
    complete, comparison = summary["status"] == COMPLETE, Comparison()
    if complete:
        comparison = compare_rows(store, event.export, summary["tables"], fall_percent)
    summary |= comparison.to_json()
    write_summary(store, event.export, summary)
    uri = store.uri(event.export.summary_key)
    alert = write_alert(summary, uri, event.is_retry)
    seconds = _group_seconds(event, outcomes)
    found = Aggregate(summary, uri, str(event.export.coverage), outcomes, comparison, alert, seconds)
    if found.is_backup:
        move_latest(store, event.export, now)
    return found


def _group_seconds(event: Event, outcomes: tuple[GroupOutcome, ...]) -> dict[str, float]:
    # On a retry the other groups are verified again, but they have not run again; and of a run that failed the manifest
    # may be another one's.
    ran = [outcome for outcome in outcomes if outcome.group.group in event.results and not outcome.cause]
    return {outcome.group.group: outcome.manifest.duration_seconds for outcome in ran if outcome.manifest}


def refuse_incomplete_retry(found: Aggregate, event: Event) -> None:
    """Fail when the groups have just run again and the export is incomplete all the same; the summary is written.

    When a redrive repeats the aggregation alone, the state machine runs the incomplete groups instead.

    Raises:
        ExportIncompleteError: on one line, because the alert on failed executions has it as the cause.
    """
    if not event.is_retry or event.is_redriven or found.complete:
        return
    failed = "; ".join(f"{group['group']}: {group['error']}" for group in found.summary["failed_groups"])
    raise ExportIncompleteError(
        f"Export {event.export.export_id} of {event.export.environment} is still INCOMPLETE after the retry. "
        f"{one_line(failed, 4000)}. Summary: {found.summary_uri}. Correct the cause, then redrive the execution: "
        "what is missing of these groups is exported, and nothing else."
    )
