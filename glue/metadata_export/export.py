"""The order of events of one run."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from metadata_export.arguments import Arguments
from metadata_export.catalog import Catalog, check_not_replaced, read_alembic_heads, read_catalog
from metadata_export.errors import ExportError, describe
from metadata_export.holder import SnapshotHolder
from metadata_export.log import info, warning
from metadata_export.manifest import build_manifest
from metadata_export.mask import check_masks
from metadata_export.plan import Extract, Selection, plan_extracts, select_tables, window_rules
from metadata_export.progress import Progress
from metadata_export.siblings import EndedGroups
from metadata_export.snapshot import Party, SharedSnapshot
from metadata_export.source import Connection, Source, releasing
from metadata_export.storage import Store
from metadata_export.task import Session
from metadata_export.touched import find_touched_runs
from metadata_export.window import Window
from metadata_export.work import ExportedTable, TaskRunner, Work

StartTasks = Callable[[Session], AbstractContextManager[TaskRunner]]
"""starts what runs the tasks of a session (Spark), and stops it"""


@dataclass(frozen=True)
class Plan:
    """What the live database says is to be done."""

    catalog: Catalog
    alembic_heads: dict[str, list[str]]
    selection: Selection
    extracts: list[Extract]


def export_group(
    arguments: Arguments,
    source: Source,
    store: Store,
    attempts: int,
    start_tasks: StartTasks,
    ended: EndedGroups = frozenset,
) -> dict[str, Any]:
    """Export the tables of one group and return its manifest, which is written last.

    Args:
        attempts: how often `start_tasks` tries a task that fails.
        ended: tells which other groups' runs are dead, so that the snapshot is not held for them.

    Raises:
        ExportError: one line that names the thing; nothing is left open in the database, and no upload in S3.
    """
    started = datetime.now(UTC)
    shared = _shared_snapshot(arguments, store)
    with announcing_failure(arguments, store), releasing(source.connect()) as connection:
        snapshot = shared.open(source, connection)
        deadline = time.monotonic() + arguments.snapshot_hold_seconds
        shared.announce(snapshot.role)
        plan = read_plan(arguments, connection)
        session = Session(source, snapshot.id, arguments.bucket, attempts)
        with SnapshotHolder(connection) as holder:
            tables = _export_tables(arguments, plan, store, start_tasks, session, holder)
            _check_not_replaced(arguments, plan, connection, holder)
            if snapshot.role == "claimed":
                _hold(shared, deadline, ended)
    manifest = build_manifest(
        arguments, plan.catalog, plan.alembic_heads, snapshot, plan.selection, tables, started, datetime.now(UTC)
    )
    store.put_json(arguments.manifest_key, manifest)
    info(
        f"wrote the manifest s3://{arguments.bucket}/{arguments.manifest_key}: the group {arguments.group} is exported"
    )
    return manifest


def read_plan(arguments: Arguments, connection: Connection) -> Plan:
    """Read the catalog and turn the arguments into statements, within the connection's transaction."""
    catalog = read_catalog(connection)
    selection = select_tables(arguments, catalog)
    check_masks(connection, catalog, selection.rules, arguments.mask_columns)
    window = Window(catalog, window_rules(catalog, selection), arguments.cutoff)
    if window.depends_on_runs(selection.rules):
        touched = find_touched_runs(connection, window)
        window = Window(catalog, window.rules, arguments.cutoff, touched)
        info(f"{len(touched)} older dag runs belong to the window by what happened to them", touched_runs=len(touched))
    for table, reason in selection.skipped.items():
        info(f"skipped {table}: {reason}", table=table)
    for table in selection.uncatalogued:
        warning(f"{table} is not in the table registry: exported whole", table=table)
    heads = read_alembic_heads(connection, catalog)
    return Plan(catalog, heads, selection, plan_extracts(arguments, window, selection))


def _shared_snapshot(arguments: Arguments, store: Store) -> SharedSnapshot:
    party = Party(arguments.group, arguments.groups, arguments.job_run_id, arguments.runs_prefix)
    return SharedSnapshot(party, store)


def _export_tables(
    arguments: Arguments, plan: Plan, store: Store, start_tasks: StartTasks, session: Session, holder: SnapshotHolder
) -> list[ExportedTable]:
    disk_bytes = sum(extract.total_bytes for extract in plan.extracts)
    try:
        with _own_uploads(arguments, store, plan), start_tasks(session) as runner:
            progress = Progress(tables=len(plan.extracts), disk_bytes=disk_bytes)
            tables = Work(plan.extracts, store, runner, arguments.parallelism, progress).run()
            progress.finished()
    except ExportError as error:
        raise _with_lost_snapshot(error, holder) from error
    return tables


def _check_not_replaced(arguments: Arguments, plan: Plan, connection: Connection, holder: SnapshotHolder) -> None:
    """Check every table that was read: with a window also those of other groups, which decide about rows."""
    read = plan.catalog.tables.keys() if arguments.cutoff else {extract.table for extract in plan.extracts}
    try:
        check_not_replaced(connection, read)
    except ExportError as error:
        raise _with_lost_snapshot(error, holder) from error


def _hold(shared: SharedSnapshot, deadline: float, ended: EndedGroups) -> None:
    waiting = shared.wait_for_groups(deadline, ended)
    if waiting:
        why = "the bound has passed" if time.monotonic() >= deadline else "their runs have ended"
        warning(f"released the snapshot though {', '.join(waiting)} have not imported it: {why}")


def _with_lost_snapshot(error: ExportError, holder: SnapshotHolder) -> ExportError:
    if holder.lost is None:
        return error
    return ExportError(f"{describe(error)} - the connection that held the snapshot was lost before: {holder.lost}")


@contextmanager
def announcing_failure(arguments: Arguments, store: Store) -> Iterator[None]:
    """Let the holder of the snapshot go at once when this run fails before it could import it."""
    try:
        yield
    except BaseException:
        try:
            _shared_snapshot(arguments, store).announce("failed")
        except ExportError as error:
            warning(f"could not tell the other groups of the failure: {error}")
        raise


@contextmanager
def _own_uploads(arguments: Arguments, store: Store, plan: Plan) -> Iterator[None]:
    """Abort what a killed attempt left of these objects, and what this one leaves when it fails."""
    keys = {extract.key for extract in plan.extracts}
    stale = store.abort_uploads(arguments.prefix, keys)
    if stale:
        warning(f"aborted {stale} unfinished uploads of an earlier attempt", uploads=stale)
    try:
        yield
    except BaseException:
        store.abort_uploads(arguments.prefix, keys)
        raise
