"""One piece of work, wherever it runs: COPY -> gzip -> S3, on one connection that shares the run's snapshot."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import psycopg

from metadata_export.aws import s3_client
from metadata_export.compress import compressed, gzip_member
from metadata_export.copy_out import CopyOut, without_garbage_collector
from metadata_export.errors import ExportError, describe
from metadata_export.parts import MINIMUM_PART_BYTES, Part
from metadata_export.source import Connection, Source, releasing, source_error
from metadata_export.spool import Spool
from metadata_export.storage import Store

UPLOADS = 4  # small tables on their way to S3 at a time


@dataclass(frozen=True)
class Session:
    """What all tasks of a run share."""

    source: Source
    snapshot_id: str
    bucket: str
    attempts: int
    """how often a task that fails is started"""


@dataclass(frozen=True)
class ChunkTask:
    """One COPY statement of a table that takes several, or is too large to share a task."""

    table: str
    key: str
    statement: str
    upload_id: str
    part_number: int
    header: bytes
    """the first line of the file, for whoever makes part 1"""


@dataclass(frozen=True)
class ChunkResult:
    """What a chunk came to: one part, or rows that are too few for one."""

    rows: int
    csv_bytes: int
    part: Part | None
    leftover: bytes
    """gzip members under the part minimum, without the header"""


@dataclass(frozen=True)
class TableTask:
    """One small table, exported by one statement into one object."""

    table: str
    key: str
    statement: str
    header: bytes


@dataclass(frozen=True)
class TableResult:
    """What a small table came to."""

    table: str
    rows: int
    csv_bytes: int
    """header included"""
    part: Part
    seconds: float


@dataclass(frozen=True)
class Failure:
    """Why a task failed for good, in one line."""

    message: str


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
    try:
        with opened(session) as connection:
            store = Store(s3_client(), session.bucket)
            if isinstance(task, ChunkTask):
                return _export_chunk(connection, store, task)
            return _export_tables(connection, store, task)
    except ExportError as error:
        if error.transient and attempt + 1 < session.attempts:
            time.sleep(2**attempt)  # the next attempt is started at once
            raise
        return Failure(describe(error))


def _export_chunk(connection: Connection, store: Store, task: ChunkTask) -> ChunkResult:
    header = compressed(task.header) if task.part_number == 1 else b""
    with Spool() as spool:
        spool.write(header)
        rows, csv_bytes = _copy(connection, task.table, task.statement, spool.write)
        body = spool.body()
        if isinstance(body, bytes) and spool.size < MINIMUM_PART_BYTES:
            return ChunkResult(rows, csv_bytes, part=None, leftover=body[len(header) :])
        number, checksum = task.part_number, spool.checksum()
        part = store.upload_part(task.key, task.upload_id, number, body, spool.size, checksum)
        return ChunkResult(rows, csv_bytes, part=part, leftover=b"")


def _export_tables(connection: Connection, store: Store, tasks: tuple[TableTask, ...]) -> tuple[TableResult, ...]:
    with ThreadPoolExecutor(UPLOADS) as uploads:
        pending = [_export_table(connection, store, task, uploads) for task in tasks]
        return tuple(future.result() for future in pending)


def _export_table(
    connection: Connection, store: Store, task: TableTask, uploads: ThreadPoolExecutor
) -> Future[TableResult]:
    started = time.monotonic()
    members = [compressed(task.header)]
    rows, csv_bytes = _copy(connection, task.table, task.statement, members.append)

    def upload() -> TableResult:
        part = store.put(task.key, b"".join(members))
        seconds = round(time.monotonic() - started, 3)
        return TableResult(task.table, rows, csv_bytes + len(task.header), part, seconds)

    return uploads.submit(upload)


def _copy(connection: Connection, table: str, statement: str, write: Callable[[bytes], object]) -> tuple[int, int]:
    """Run a COPY, hand its rows to `write` as one gzip member; return their number and their bytes as CSV."""
    member, csv_bytes = gzip_member(), 0
    try:
        with without_garbage_collector():
            copy = CopyOut(connection, statement)
            for block in copy:
                csv_bytes += len(block)
                write(member.compress(block))
    except psycopg.Error as error:
        raise source_error(f"export the table {table}", error, connection) from error
    if csv_bytes:
        write(member.flush())
    return copy.rows, csv_bytes
