"""The order of events of one run."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from metadata_export.arguments import Arguments
from metadata_export.earlier import keep_whole
from metadata_export.errors import ExportError, StorageError, describe
from metadata_export.holder import SnapshotHolder
from metadata_export.introspection import read_catalog, still_there
from metadata_export.log import info, warning
from metadata_export.manifest import Delivery, Kept, build_manifest
from metadata_export.plan import Extract, Plan, make_plan
from metadata_export.progress import Progress
from metadata_export.revisions import read_alembic_heads
from metadata_export.siblings import EndedGroups
from metadata_export.snapshot import Party, SharedSnapshot
from metadata_export.source import Source, releasing
from metadata_export.storage import Store
from metadata_export.task import Session
from metadata_export.work import TaskRunner, Work

StartTasks = Callable[[Session], AbstractContextManager[TaskRunner]]
"""starts what runs the tasks of a session (Spark), and stops it"""
SHOWN_TABLES = 5
GONE = "dropped while the export ran; the table registry does not know it"
ERROR_LIMIT = 300  # of one table, in the error of the run: the next action must fit into Glue's ErrorMessage


def export_group(
    arguments: Arguments,
    source: Source,
    store: Store,
    attempts: int,
    start_tasks: StartTasks,
    ended: EndedGroups = frozenset,
) -> dict[str, Any]:
    """Export the tables of one group and return its manifest, which is written last.

    A table that cannot be exported costs the others nothing. What an earlier attempt has delivered is kept.

    Args:
        attempts: how often `start_tasks` tries a task that fails.
        ended: tells which other groups' runs are dead, so that the snapshot is not held for them.

    Raises:
        ExportError: one line that names the thing; nothing is left open in the database, and no upload in S3. What is
            whole is in the manifest all the same.
    """
    started = datetime.now(UTC)
    shared = _shared_snapshot(arguments, store)
    with announcing_failure(arguments, store), releasing(source.connect()) as connection:
        snapshot = shared.open(source, connection)
        deadline = time.monotonic() + arguments.snapshot_hold_seconds
        shared.announce(snapshot.role)
        catalog = read_catalog(connection, arguments.stands_alone, arguments.any_schema)
        heads = read_alembic_heads(connection, catalog)
        plan = make_plan(arguments, connection, catalog)
        session = Session(source, snapshot.id, arguments.region, arguments.bucket, attempts)
        with SnapshotHolder(connection) as holder:
            kept = keep_whole(arguments, store, plan, heads)
            delivery, error = _export_tables(arguments, plan, kept, store, start_tasks, session, holder)
            if snapshot.role == "claimed" and error is None:
                _hold(shared, deadline, ended)
    manifest = build_manifest(arguments, plan, heads, snapshot, delivery, started, datetime.now(UTC))
    if error is not None:
        _record_what_is_whole(arguments, store, manifest)
        raise error
    store.put_json(arguments.manifest_key, manifest)
    if delivery.failed:
        raise ExportError(_failed_tables(arguments, delivery))
    info(
        f"wrote the manifest s3://{arguments.bucket}/{arguments.manifest_key}: the group {arguments.group} is exported"
    )
    return manifest


def _shared_snapshot(arguments: Arguments, store: Store) -> SharedSnapshot:
    party = Party(arguments.group, arguments.groups, arguments.job_run_id, arguments.runs_prefix)
    return SharedSnapshot(party, store)


def _export_tables(
    arguments: Arguments,
    plan: Plan,
    kept: Kept,
    store: Store,
    start_tasks: StartTasks,
    session: Session,
    holder: SnapshotHolder,
) -> tuple[Delivery, ExportError | None]:
    """Return what has been exported or kept, and what ended the run before it was through, if anything did."""
    extracts = [extract for extract in plan.extracts if extract.table not in kept.tables]
    progress = Progress(tables=len(extracts), disk_bytes=sum(extract.total_bytes for extract in extracts))
    work = Work(extracts, store, arguments.parallelism, progress)
    ended: ExportError | None = None
    try:
        with _own_uploads(arguments, store, extracts, work), start_tasks(session) as runner:
            work.run(runner)
            progress.finished()
    except ExportError as error:
        ended = _with_lost_snapshot(error, holder)
    delivery = Delivery(work.done, {**plan.failed, **work.failed}, kept=kept)
    return (delivery if ended else _without_gone(delivery, plan, holder)), ended


def _without_gone(delivery: Delivery, plan: Plan, holder: SnapshotHolder) -> Delivery:
    """Report an unknown table that was dropped meanwhile as gone: it is nobody's loss that it is not in the export.

    `airflow db clean` makes tables for what it deletes and drops them again.
    """
    missing = [plan.catalog.tables[name] for name in plan.selection.uncatalogued if name in delivery.failed]
    there = still_there(holder.connection, missing) if missing else frozenset()
    gone = {table.name: GONE for table in missing if table.name not in there}
    for table in gone:
        info(f"skipped {table}: {GONE}", table=table)
    failed = {name: error for name, error in delivery.failed.items() if name not in gone}
    return replace(delivery, failed=failed, gone=gone)


def _record_what_is_whole(arguments: Arguments, store: Store, manifest: dict[str, Any]) -> None:
    """Write the manifest of a run that has ended early, so that a retry repeats the rest only."""
    if not manifest["tables"] and not manifest["failed_tables"]:
        return
    try:
        store.put_json(arguments.manifest_key, manifest)
        info(f"recorded {len(manifest['tables'])} tables that are whole")
    except StorageError as error:
        warning(f"could not record the tables that are whole: {error}")  # what ended the run is what counts


def _failed_tables(arguments: Arguments, delivery: Delivery) -> str:
    """Return what a person must know of tables that cannot be exported, in one line."""
    names = sorted(delivery.failed)
    more = f" and {len(names) - SHOWN_TABLES} more" if len(names) > SHOWN_TABLES else ""
    total = len(names) + len(delivery.tables) + len(delivery.kept.tables)
    first = delivery.failed[names[0]]
    return (
        f"{len(names)} of {total} tables of the group {arguments.group} cannot be exported: "
        f"{', '.join(names[:SHOWN_TABLES])}{more}; the others are exported. {names[0]}: "
        f"{first if len(first) <= ERROR_LIMIT else f'{first[:ERROR_LIMIT]}...'} - repair it and redrive the execution, "
        "or leave the table out: exclude_tables in a new execution, the stack's ExcludeTables in all to come"
    )


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
def _own_uploads(arguments: Arguments, store: Store, extracts: Sequence[Extract], work: Work) -> Iterator[None]:
    """Abort what a killed attempt left of these objects, and what this one leaves of those that fail."""
    keys = {extract.key for extract in extracts}
    stale = store.abort_uploads(arguments.prefix, keys)
    if stale:
        warning(f"aborted {stale} unfinished uploads of an earlier attempt", uploads=stale)
    try:
        yield
    except BaseException:
        store.abort_uploads(arguments.prefix, keys)
        raise
    if work.failed:
        store.abort_uploads(arguments.prefix, keys)
