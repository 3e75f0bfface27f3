"""Decides whether an export is due and fixes what it consists of."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from export_contracts.layout import export_id, started_at
from export_contracts.lock import ExportLock
from export_contracts.past_exports import readable_summary
from export_contracts.plan import Decision, Export, Plan, TableGroup
from export_contracts.summary import FULL, PARTIAL
from export_runtime.errors import InvalidEventError
from export_runtime.executions import Executions
from export_runtime.store import ObjectStore
from export_runtime.text import shown

from plan_export.errors import OtherExportError, SameSecondError
from plan_export.execution_input import ExecutionInput, parse_input
from plan_export.fresh_export import find_fresh_export
from plan_export.lock import release_lock, take_lock
from plan_export.selection import excluded_tables, select, table_groups
from plan_export.settings import Settings
from plan_export.table_registry import WINDOWS

# It leaves an execution enough of its ten hours for two rounds of Glue runs with the longest time-out allowed.
LONGEST_WAIT = timedelta(hours=2)


@dataclass(frozen=True)
class Request:
    """An execution and its valid input."""

    input: ExecutionInput
    execution_arn: str
    started: datetime


def parse_request(event: dict[str, Any]) -> Request:
    """Return the request that the state machine passed.

    Raises:
        InvalidExportInputError: the execution input is not valid.
        InvalidEventError: the execution is not described as the contract says.
    """
    execution_input = parse_input(event.get("input"))
    try:
        return Request(execution_input, str(event["execution"]["id"]), execution_start(event))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidEventError(
            f"Plan Export needs execution.id and execution.start_time, not {shown(event)}."
        ) from error


def execution_start(event: dict[str, Any]) -> datetime:
    """Return when the execution started, in UTC and whole seconds."""
    return datetime.fromisoformat(event["execution"]["start_time"]).astimezone(UTC).replace(microsecond=0)


def draft_plan(request: Request, settings: Settings) -> tuple[Export, tuple[TableGroup, ...]]:
    """Return what the export consists of, whether or not it is due.

    Raises:
        InvalidExportInputError: nothing would be left to export.
    """
    wanted = select(request.input, settings)
    layout, started, days = settings.layout, request.started, wanted.max_age_in_days
    export = Export(
        export_id=export_id(started),
        environment=layout.environment,
        trigger=request.input.trigger,
        execution_arn=request.execution_arn,
        bucket=layout.bucket,
        output_path=f"s3://{layout.bucket}/{layout.day_prefix(started)}",
        summary_key=layout.summary_key(started),
        latest_key=layout.latest_key,
        max_age_in_days=days,
        cutoff=None if days is None else f"{started - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}",
        include_tables=wanted.include_tables,
        exclude_tables=wanted.exclude_tables,
        excluded_tables=excluded_tables(wanted),
        windows=WINDOWS,
        scope=FULL if wanted.covers(settings.coverage) else PARTIAL,
        mask_columns=settings.mask_columns,
        formats=settings.formats,
    )
    return export, table_groups(wanted, layout, started)


def decide(
    request: ExecutionInput,
    export: Export,
    settings: Settings,
    store: ObjectStore,
    executions: Executions,
    now: datetime,
) -> Decision:
    """Decide whether to export, and take the lock if so.

    Only a scheduled run yields to an export that is there, and not when forced. Every run yields to one at work that
    brings all that it would, and waits for the end of any other.

    Raises:
        OtherExportError: it has waited long enough.
        SameSecondError: it would overwrite another one.
        ContentionError: others kept changing the lock.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    yields = request.trigger == "schedule" and not request.force
    if yields and (key := find_fresh_export(store, export, settings.fresh_hours, now)):
        return _already_exported(store.uri(key), settings.fresh_hours)
    lock_key = settings.layout.lock_key
    holder = take_lock(store, lock_key, export, executions.is_running)
    if holder is not None:
        return _beside(holder, export, now)
    # Whoever held the lock a moment ago may have finished in between.
    if yields and (key := find_fresh_export(store, export, settings.fresh_hours, now)):
        release_lock(store, lock_key, export)
        return _already_exported(store.uri(key), settings.fresh_hours)
    if other := _completed_in_the_same_second(store, export):
        release_lock(store, lock_key, export)
        raise SameSecondError(
            f"Export {export.export_id} of {export.environment} is complete and another execution's, which started in "
            f"the same second ({other}). An export is named by that second, so this one would overwrite it: start a "
            "new one. A redrive would have the same name."
        )
    return Decision(True, _why_due(request, settings.fresh_hours))


def _completed_in_the_same_second(store: ObjectStore, export: Export) -> str | None:
    """Return the execution that made a complete export under this one's keys: this one may have waited for its end."""
    summary = readable_summary(store, export.summary_key)
    others = summary is not None and summary.complete and summary.execution_arn != export.execution_arn
    return summary.execution_arn if summary is not None and others else None


def settle(decision: Decision, export: Export, groups: tuple[TableGroup, ...]) -> Plan:
    """Return the plan; without groups when no export is due, so that nothing starts by mistake."""
    return Plan(decision, export, groups if decision.due else ())


def _beside(holder: ExportLock, export: Export, now: datetime) -> Decision:
    """Decide what to do while another export is at work."""
    arn, theirs = holder.execution_arn, holder.coverage
    if theirs is not None and theirs.covers(export.coverage):
        return Decision(False, f"Another execution is exporting this environment ({theirs}); one runs at a time.", arn)
    reason = (
        f"One export of an environment runs at a time, and another is at work ({theirs or 'it is not known of what'}), "
        f"which may not bring what this one is asked for ({export.coverage})"
    )
    if now - started_at(export.export_id) < LONGEST_WAIT:
        return Decision(False, f"{reason}: waiting for its end.", arn, wait=True)
    raise OtherExportError(
        f"{reason}. It has not ended within {LONGEST_WAIT.total_seconds() / 3600:g} hours: see what holds up {arn}, "
        "and redrive this execution when that one has ended."
    )


def _already_exported(uri: str, fresh_hours: int) -> Decision:
    return Decision(False, f"A COMPLETE export that covers this one is less than {fresh_hours} hours old.", uri)


def _why_due(request: ExecutionInput, fresh_hours: int) -> str:
    if request.trigger == "schedule" and not request.force:
        return f"No COMPLETE export that covers this one is less than {fresh_hours} hours old."
    return f"Trigger {request.trigger}{' with force' if request.force else ''} exports although one may be there."
