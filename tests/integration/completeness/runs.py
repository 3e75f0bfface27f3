"""The story that every version's aged data tells: dag runs, what happened to each, and whether it must be exported.

`expected` is written by hand, run by run; the oracle computes the same from rows, and each checks the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.integration.completeness.live_catalog import LiveCatalog

NOW = datetime(2026, 11, 20, 12, 0, 0, 654321, tzinfo=UTC)
CUTOFF = datetime(2026, 10, 21, 12, 0, 0, tzinfo=UTC)
RECENT = CUTOFF + timedelta(days=12, microseconds=1)
JUST_BEFORE = CUTOFF - timedelta(microseconds=1)
OLD = CUTOFF - timedelta(days=60)
ANCIENT = CUTOFF - timedelta(days=1100)

# In what belongs to a run, a moment in one of these columns is planned: nothing happened then.
PLANNED = ("deadline", "deadline_time", "expires_at", "reschedule_date", "trigger_timeout", "logical_date")


@dataclass(frozen=True)
class RunStory:
    """One dag run.

    Args:
        name: its run_id.
        expected: whether the export must hold it.
        dates: of everything about it that is not said otherwise.
        state: of the run.
        run: columns of the run that differ; a column that the version does not have is left out.
        touched: table -> moment of the rows that belong to this run.
        plans: of what belongs to it, moments that were planned; the run's own dates when None.
        waiting: its task instances have not started, all their dates are NULL.
        uses_event: date of an asset event that triggered it.
        shares_event: name of an earlier run whose event triggered this one too.
    """

    name: str
    expected: bool
    dates: datetime
    state: str | None = "success"
    run: dict[str, datetime | str | None] = field(default_factory=dict)
    touched: dict[str, datetime] = field(default_factory=dict)
    plans: datetime | None = None
    waiting: bool = False
    uses_event: datetime | None = None
    shares_event: str | None = None


def run_columns(moment: datetime | None, *names: str) -> dict[str, datetime | str | None]:
    """Return columns of dag_run with one moment."""
    return dict.fromkeys(names, moment)


HAPPENINGS = ("updated_at", "start_date", "end_date", "queued_at", "last_scheduling_decision", "clear_number_at")
DATA_DATES = ("execution_date", "logical_date", "data_interval_start", "data_interval_end")
NO_LOGICAL_DATE = run_columns(None, "logical_date", "data_interval_start", "data_interval_end")

STORIES = (
    RunStory("recent", True, RECENT),
    RunStory("recent, failed", True, RECENT, state="failed"),
    RunStory("old", False, OLD),
    RunStory("old, failed", False, OLD, state="failed"),
    RunStory("at the cutoff", True, CUTOFF),
    RunStory("a microsecond before the cutoff", False, JUST_BEFORE),
    RunStory("old, unfinished", True, OLD, state="running"),
    RunStory(
        "old, never started", True, OLD, state="queued", run=run_columns(None, "start_date", "end_date"), waiting=True
    ),
    RunStory("old, without state", True, OLD, state=None, waiting=True),
    RunStory(
        "recent, waiting", True, RECENT, state="queued", run=run_columns(None, "start_date", "end_date"), waiting=True
    ),
    RunStory("recent, tasks never started", True, RECENT, state="failed", waiting=True),
    RunStory("old, tasks never started", False, OLD, state="failed", waiting=True),
    RunStory("cleared today", True, OLD, run=run_columns(RECENT, *HAPPENINGS)),
    RunStory("backfilled today", True, RECENT, run={"run_type": "backfill", **run_columns(ANCIENT, *DATA_DATES)}),
    RunStory("only its update is recent", True, OLD, run=run_columns(RECENT, "updated_at")),
    RunStory("only its end is recent", True, OLD, run=run_columns(RECENT, "end_date")),
    RunStory("never updated", False, OLD, run=run_columns(None, "updated_at", "queued_at", "start_date", "end_date")),
    RunStory(
        "recent, asset-triggered",
        True,
        RECENT,
        run={"run_type": "asset_triggered", **NO_LOGICAL_DATE},
        uses_event=RECENT,
    ),
    RunStory(
        "recent, by an old event", True, RECENT, run={"run_type": "asset_triggered", **NO_LOGICAL_DATE}, uses_event=OLD
    ),
    RunStory(
        "old, asset-triggered", False, OLD, run={"run_type": "asset_triggered", **NO_LOGICAL_DATE}, uses_event=ANCIENT
    ),
    RunStory("old, unfinished, by an old event", True, OLD, state="running", uses_event=ANCIENT),
    RunStory("old, with plans for the future", False, OLD, plans=NOW + timedelta(days=30)),
    RunStory("old, by the event of an exported run", False, OLD, shares_event="old, unfinished, by an old event"),
)


def touched_stories(catalog: LiveCatalog, leading: Iterable[str]) -> list[RunStory]:
    """Return for each table that leads to a run an old run whose only recent trace is a row of that table."""
    return [
        RunStory(f"old, recent {table}", True, OLD, touched={table: RECENT})
        for table in sorted(leading)
        if any(column.is_moment and column.name not in PLANNED for column in catalog.columns[table])
    ]
