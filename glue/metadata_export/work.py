"""The driver's loop: threads hand pieces of work to Spark, so many at a time, and put their results together."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from metadata_export.chunk import ChunkResult, ChunkTask
from metadata_export.errors import ExportError, StorageError, TableError, describe
from metadata_export.log import info, warning
from metadata_export.object_upload import ObjectUpload, UploadedObject
from metadata_export.parquet_target import ParquetFiles, of_statement, together
from metadata_export.plan import Extract, bundle, is_small
from metadata_export.progress import MB, Progress
from metadata_export.storage import Store
from metadata_export.task import Result, TableResult, TableTask, Task


class TaskRunner(Protocol):
    """Runs tasks somewhere else: in Spark."""

    def run(self, task: Task, description: str) -> Result:
        """Run a task and return its result; called from several threads.

        Raises:
            TableError: what the task is about cannot be exported.
            ExportError: nothing can.
        """

    def cancel(self) -> None:
        """End the tasks that are running: their `run` raises."""


@dataclass(frozen=True)
class ExportedTable:
    """A table that is in S3."""

    extract: Extract
    object: UploadedObject
    seconds: float
    parquet: ParquetFiles | None = None


@dataclass
class _LargeTable:
    extract: Extract
    upload: ObjectUpload
    chunks_left: int
    started: float | None = None
    parquet: dict[int, ParquetFiles] = field(default_factory=dict)
    """what its chunks came to; one that runs again writes its files anew"""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Work:
    """The tables of this run: what has been `done` and what has `failed`, also when an error ends it early.

    Args:
        extracts: the largest first.
        parallelism: how many tasks run at a time.
    """

    _runner: TaskRunner

    def __init__(self, extracts: Sequence[Extract], store: Store, parallelism: int, progress: Progress) -> None:
        self._parallelism = parallelism
        self._progress = progress
        self.done: list[ExportedTable] = []
        self.failed: dict[str, str] = {}
        """table -> its error, in one line"""
        self._errors: list[BaseException] = []
        self._steps = [*self._large(extracts, store), *self._small(extracts)]

    def run(self, runner: TaskRunner) -> None:
        """Export every table that can be exported.

        Args:
            runner: called from `parallelism` threads.

        Raises:
            ExportError: it is not about one table, and has ended all the rest.
        """
        self._runner = runner
        with ThreadPoolExecutor(self._parallelism, thread_name_prefix="task") as threads:
            futures = [threads.submit(self._unless_ended, step) for step in self._steps]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                self._runner.cancel()
                if self._errors:
                    raise self._errors[0]  # noqa: B904 - it is the cause of the one caught, if that is another
                raise

    def _unless_ended(self, step: Callable[[], None]) -> None:
        if self._errors:
            return
        try:
            step()
        except BaseException as error:
            self._errors.append(error)  # the first one is the reason, the others may be its consequence
            raise

    def _large(self, extracts: Iterable[Extract], store: Store) -> Iterable[Callable[[], None]]:
        for extract in extracts:
            if is_small(extract):
                continue
            table = _LargeTable(extract, ObjectUpload(store, extract.key, extract.header), len(extract.statements))
            for index in range(len(extract.statements)):
                yield partial(self._unless_failed, extract.table, partial(self._export_chunk, table, index))

    def _small(self, extracts: Sequence[Extract]) -> Iterable[Callable[[], None]]:
        for group in bundle(extracts, self._parallelism):
            yield partial(self._export_bundle, group)

    def _unless_failed(self, table: str, step: Callable[[], None]) -> None:
        """Do a step for a table unless one has failed: then the upload is left open, to be aborted with the run's."""
        if table in self.failed:
            return
        try:
            step()
        except (TableError, StorageError) as error:
            if error.transient or self._errors:  # S3 is out of reach, or the step was cancelled
                raise
            self._fail(table, error)

    def _fail(self, table: str, error: ExportError) -> None:
        first = self.failed.setdefault(table, describe(error))
        warning(f"{table} is not exported: {first}", table=table)

    def _export_chunk(self, table: _LargeTable, index: int) -> None:
        with table.lock:
            table.started = table.started or time.monotonic()
        self._count(table, self._run_chunk(table, index, alone=len(table.extract.statements) == 1))
        with table.lock:
            table.chunks_left -= 1
            if table.chunks_left:
                return
        for overflowed in table.upload.overflowed:
            self._count(table, self._run_chunk(table, overflowed, alone=True))
        held = table.upload.release_held()
        if held is not None:
            self._run_chunk(table, held, alone=True)  # its rows have been counted
        uploaded = table.upload.complete()
        self._finish(table.extract, uploaded, time.monotonic() - table.started, together(table.parquet.values()))

    def _run_chunk(self, table: _LargeTable, index: int, *, alone: bool) -> ChunkResult:
        extract = table.extract
        upload_id, numbers = table.upload.begin_chunk(alone=alone)
        statement = extract.statements[index]
        parquet = of_statement(extract.parquet, index, len(extract.statements))
        task = ChunkTask(extract.table, extract.key, statement, upload_id, numbers, extract.header, parquet)
        result = self._runner.run(task, f"{extract.table}: chunk {index + 1} of {len(extract.statements)}")
        if not isinstance(result, ChunkResult):
            raise ExportError(f"{extract.table}: expected the result of a chunk, got {type(result).__name__}")
        table.upload.end_chunk(index, numbers, result)
        if result.parquet is not None:
            table.parquet[index] = result.parquet
        return result

    def _count(self, table: _LargeTable, result: ChunkResult) -> None:
        name, chunks = table.extract.table, len(table.extract.statements)
        if result.overflow:
            info(f"{name}: a chunk is too large for one part: it runs again when the others have ended", table=name)
            return
        self._progress.work_done(result.rows, result.csv_bytes, table.extract.total_bytes // chunks)

    def _export_bundle(self, extracts: Sequence[Extract]) -> None:
        """Export small tables in one task; when that fails for good, each in its own, which tells whose fault it is."""
        try:
            self._export_together(extracts)
        except TableError as error:
            if self._errors:
                raise
            if len(extracts) == 1:
                self._fail(extracts[0].table, error)
                return
            for extract in extracts:
                self._unless_ended(partial(self._export_bundle, [extract]))

    def _export_together(self, extracts: Sequence[Extract]) -> None:
        tasks = tuple(
            TableTask(each.table, each.key, each.statements[0], each.header, each.parquet) for each in extracts
        )
        names = ", ".join(task.table for task in tasks)
        results = self._runner.run(tasks, f"{len(tasks)} small tables: {names}")
        if not isinstance(results, tuple):
            raise ExportError(f"{names}: expected results of tables, got {type(results).__name__}")
        for extract, result in zip(extracts, results, strict=True):
            self._progress.work_done(result.rows, result.csv_bytes, extract.total_bytes)
            self._finish(extract, _single_put(result), result.seconds, result.parquet)

    def _finish(self, extract: Extract, uploaded: UploadedObject, seconds: float, parquet: ParquetFiles | None) -> None:
        self.done.append(ExportedTable(extract, uploaded, seconds, parquet))
        self._progress.table_done(uploaded.object_bytes)
        info(
            f"{extract.table}: {uploaded.rows:,} rows, {uploaded.csv_bytes / MB:,.1f} MB of CSV in {seconds:.1f} s",
            table=extract.table,
            rows=uploaded.rows,
            csv_bytes=uploaded.csv_bytes,
            object_bytes=uploaded.object_bytes,
            parts=len(uploaded.part_sizes),
            seconds=round(seconds, 3),
        )


def _single_put(result: TableResult) -> UploadedObject:
    part = result.part
    return UploadedObject(result.rows, result.csv_bytes, part.size, part.sha256, (part.size,), result.content)
