"""One piece of work, wherever it runs: COPY -> gzip -> S3, on one connection that shares the run's snapshot."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import psycopg

from metadata_export.aws import s3_client
from metadata_export.chunk import OVERFLOW, ChunkParts, ChunkResult, ChunkTask, PartsUsedUpError
from metadata_export.compress import gzip_member
from metadata_export.copy_out import CopyOut, without_garbage_collector
from metadata_export.errors import ExportError, StorageError, TableError, describe
from metadata_export.identity import check_unchanged
from metadata_export.parquet_sink import parquet_of, parquet_sink, to_both
from metadata_export.parquet_target import ParquetFiles, ParquetTarget
from metadata_export.parts import Part
from metadata_export.planner import pinned
from metadata_export.source import Connection, Source, releasing, source_error
from metadata_export.statements import Statement
from metadata_export.storage import Store

UPLOADS = 4  # small tables on their way to S3 at a time


@dataclass(frozen=True)
class Session:
    """What all tasks of a run share."""

    source: Source
    snapshot_id: str
    region: str
    bucket: str
    attempts: int
    """how often a task that fails is started"""


@dataclass(frozen=True)
class TableTask:
    """One small table, exported by one statement into one object."""

    table: str
    key: str
    statement: Statement
    header: bytes
    parquet: ParquetTarget | None = None
    """where the rows go as Parquet too"""


@dataclass(frozen=True)
class TableResult:
    """What a small table came to."""

    table: str
    rows: int
    csv_bytes: int
    """header included"""
    content: int
    """of the rows, see `content`"""
    part: Part
    seconds: float
    parquet: ParquetFiles | None = None


@dataclass(frozen=True)
class Failure:
    """Why a task failed for good, in one line."""

    message: str
    ends_run: bool
    """whether the tasks of other tables would fail in the same way"""

    def error(self) -> ExportError:
        """Return the error that the driver raises of it."""
        return ExportError(self.message) if self.ends_run else TableError(self.message)


Task = ChunkTask | tuple[TableTask, ...]
Result = ChunkResult | tuple[TableResult, ...] | Failure
Opened = Callable[[Session], AbstractContextManager[Connection]]
"""gives a connection in a transaction with the session's snapshot, for one task"""


def own_connection(session: Session) -> AbstractContextManager[Connection]:
    """Open a connection for one task, and release it."""
    return releasing(session.source.open(session.snapshot_id))


def run_task(session: Session, task: Task, attempt: int, opened: Opened = own_connection) -> Result:
    """Run one task.

    Args:
        attempt: 0 for the first.
        opened: where its connection comes from.

    Returns:
        The result, or a Failure where another attempt would not help.

    Raises:
        ExportError: transient, for whoever runs tasks to start this one again.
    """
    connected = False
    try:
        with opened(session) as connection:
            connected = True
            store = Store(s3_client(session.region), session.bucket)
            if isinstance(task, ChunkTask):
                # A connection that is to be kept is not left in the middle of a COPY.
                read_on = session.source.credentials.expires_at is not None
                return _export_chunk(connection, store, task, read_on=read_on)
            return _export_tables(connection, store, task)
    except PartsUsedUpError:
        return OVERFLOW
    except ExportError as error:
        if error.transient and attempt + 1 < session.attempts:
            time.sleep(2**attempt)  # the next attempt is started at once
            raise
        # What happens on a connection that has the snapshot is the table's fault, unless S3 is out of reach.
        return Failure(describe(error), ends_run=not connected or (isinstance(error, StorageError) and error.transient))


def _export_chunk(connection: Connection, store: Store, task: ChunkTask, *, read_on: bool) -> ChunkResult:
    with ChunkParts(store, task, read_on=read_on) as parts, parquet_sink(store, task.parquet) as parquet:
        copied = _copy(connection, task.table, task.statement, to_both(parts.write, parquet))
        result = parts.finish(copied.rows, copied.csv_bytes, copied.content)
        return result if result.overflow else replace(result, parquet=parquet_of(task.table, copied.rows, parquet))


def _export_tables(connection: Connection, store: Store, tasks: tuple[TableTask, ...]) -> tuple[TableResult, ...]:
    with ThreadPoolExecutor(UPLOADS) as uploads:
        pending = [_export_table(connection, store, task, uploads) for task in tasks]
        return tuple(future.result() for future in pending)


def _export_table(
    connection: Connection, store: Store, task: TableTask, uploads: ThreadPoolExecutor
) -> Future[TableResult]:
    started = time.monotonic()
    member, body = gzip_member(), list[bytes]()

    def write(block: bytes) -> None:
        body.append(member.compress(block if body else task.header + block))  # in one call: isal compresses that best

    with parquet_sink(store, task.parquet) as parquet:
        copied = _copy(connection, task.table, task.statement, to_both(write, parquet))
    if not body:
        write(b"")
    body.append(member.flush())

    def upload() -> TableResult:
        part = store.put(task.key, b"".join(body))
        files = parquet_of(task.table, copied.rows, parquet)
        seconds = round(time.monotonic() - started, 3)
        csv_bytes = copied.csv_bytes + len(task.header)
        return TableResult(task.table, copied.rows, csv_bytes, copied.content, part, seconds, files)

    return uploads.submit(upload)


@dataclass(frozen=True)
class _Copied:
    rows: int
    csv_bytes: int
    content: int


def _copy(connection: Connection, table: str, statement: Statement, write: Callable[[bytes], object]) -> _Copied:
    """Run a COPY and hand its rows, as CSV, to `write`.

    Raises:
        SourceError: PostgreSQL refuses, or what it has read is not what the snapshot's catalog described.
    """
    csv_bytes = 0
    try:
        with without_garbage_collector(), pinned(connection, statement.forbidden):
            copy = CopyOut(connection, statement.copy)
            for block in copy:
                csv_bytes += len(block)
                write(block)
    except psycopg.Error as error:
        raise source_error(f"export the table {table}", error, connection) from error
    check_unchanged(connection, statement.changed, f"look whether {table} was replaced")
    return _Copied(copy.rows, csv_bytes, copy.content)
