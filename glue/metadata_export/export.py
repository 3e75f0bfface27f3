"""The order of events of one run."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from metadata_export import parquet_target
from metadata_export.arguments import Arguments
from metadata_export.catalog import Catalog, Table
from metadata_export.delivery import Delivery, Kept, failed_tables_error, without_gone
from metadata_export.earlier import keep_whole, record_whole
from metadata_export.errors import ExportError
from metadata_export.holder import SnapshotHolder
from metadata_export.introspection import read_catalog
from metadata_export.log import info
from metadata_export.manifest import build_manifest
from metadata_export.parquet_target import ParquetTarget, read_known_columns
from metadata_export.parquet_types import parquet_columns
from metadata_export.plan import GroupPlan, make_plan
from metadata_export.progress import Progress
from metadata_export.revisions import read_alembic_heads
from metadata_export.schema.publication import ExportedSchema, export_schema
from metadata_export.shared_window import SharedWindow
from metadata_export.siblings import EndedGroups
from metadata_export.snapshot import Party, SharedSnapshot
from metadata_export.source import Connection, Source, releasing
from metadata_export.storage import Store
from metadata_export.task import Session
from metadata_export.unfinished_uploads import aborting_unfinished
from metadata_export.work import TaskRunner, Work

StartTasks = Callable[[Session], AbstractContextManager[TaskRunner]]
"""starts what runs the tasks of a session (Spark), and stops it"""


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
    run, request, manifest_key = arguments.group_run, arguments.table_request, arguments.manifest_key
    shared = shared_snapshot(arguments, store)
    with shared.announcing_failure(), releasing(source.connect()) as connection:
        snapshot = shared.open(source, connection)
        deadline = time.monotonic() + arguments.snapshot_hold_seconds
        shared.announce(snapshot.role)
        catalog = read_catalog(connection, request.stands_alone, request.any_schema, request.exclude_tables)
        heads = read_alembic_heads(connection, catalog)
        decide = SharedWindow(arguments.export_id, shared, snapshot, ended).decide
        parquet_of = _parquet_targets(arguments, store)
        plan = make_plan(connection, catalog, request, arguments.cutoff, arguments.table_key, decide, parquet_of)
        schema = _export_schema(arguments, connection, catalog, store)
        session = Session(source, snapshot.id, arguments.region, arguments.bucket, attempts)
        with SnapshotHolder(connection) as holder:
            kept = keep_whole(run, manifest_key, store, plan, heads)
            delivery, error = _export_tables(arguments, plan, kept, store, start_tasks, session, holder)
            if snapshot.role == "claimed" and error is None:
                shared.hold(deadline, ended)
    manifest = build_manifest(run, plan, heads, snapshot, delivery, started, datetime.now(UTC))
    if isinstance(schema, ExportedSchema):
        manifest["schema"] = schema.to_json()
    if error is not None:
        record_whole(store, manifest_key, manifest)
        raise error
    store.put_json(manifest_key, manifest)
    if delivery.failed:
        raise failed_tables_error(arguments.group, delivery)
    if isinstance(schema, ExportError):
        raise schema
    info(f"wrote the manifest s3://{arguments.bucket}/{manifest_key}: the group {arguments.group} is exported")
    return manifest


def shared_snapshot(arguments: Arguments, store: Store) -> SharedSnapshot:
    """Return this run's side of what the runs of its export share."""
    party = Party(arguments.group, arguments.groups, arguments.job_run_id, arguments.runs_prefix)
    return SharedSnapshot(party, store)


def _parquet_targets(arguments: Arguments, store: Store) -> Callable[[Table], ParquetTarget | None]:
    if not arguments.writes_parquet:
        return lambda _: None
    known = read_known_columns(store, arguments.parquet_columns_key)

    def of(table: Table) -> ParquetTarget:
        columns = parquet_columns(table.columns, known.get(table.name, {}))
        return ParquetTarget(arguments.parquet_folder(table.name), columns)

    return of


def _export_schema(
    arguments: Arguments, connection: Connection, catalog: Catalog, store: Store
) -> ExportedSchema | ExportError | None:
    """Return None where another group exports the schema."""
    if arguments.schema_key is None:
        return None
    title = (
        f"The schema of {arguments.database_name!r}, PostgreSQL {catalog.server_version}, for the export "
        f"{arguments.export_id}: see docs/restore.md"
    )
    return export_schema(connection, store, arguments.schema_key, title)


def _export_tables(
    arguments: Arguments,
    plan: GroupPlan,
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
    keys = {extract.key for extract in extracts}
    folders = {extract.table: extract.parquet.folder for extract in extracts if extract.parquet}
    ended: ExportError | None = None
    try:
        parquet_target.clear(store, folders.values())
        with aborting_unfinished(store, arguments.prefix, keys, work.failed), start_tasks(session) as runner:
            work.run(runner)
            progress.finished()
        parquet_target.clear(store, [folders[table] for table in work.failed if table in folders])
    except ExportError as error:
        ended = holder.explained(error)
    delivery = Delivery(work.done, {**plan.failed, **work.failed}, kept=kept)
    return (delivery if ended else without_gone(delivery, plan, holder.connection)), ended
