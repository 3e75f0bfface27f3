"""Rows of COPY -> Parquet files of their own, in constant memory. Only workers that write Parquet import pyarrow.

Arrow works in a thread beside the one that copies: it needs no GIL, and PostgreSQL does not wait for it. It is one for
the whole process, since Arrow keeps memory for each thread that it has worked in.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from metadata_export.arrow_rows import RowParser, arrow_schema
from metadata_export.errors import TableError, describe
from metadata_export.parquet_target import ParquetFile, ParquetFiles, ParquetTarget
from metadata_export.parts import GIB, MIB
from metadata_export.spool import Spool
from metadata_export.storage import Store

PARSED_BYTES = MIB  # at a time: a quarter of it costs half as much again, and more is no faster
WAITING = 4  # pieces of that, while a row group is written
ROW_GROUP_BYTES = 16 * MIB  # of CSV: twice as much saves 3 % of the size, and costs 15 MB of memory in every worker
FILE_BYTES = GIB  # then the next file begins: S3 takes 5 GiB in one piece
LEVEL = 2  # of zstd: half the size of the csv.gz; 3 takes a sixth more of the processor, and is no smaller
DICTIONARY_BYTES = 64 * 1024  # of a column; with Arrow's mebibyte files are a tenth larger and cost half as much again
CONTENT_TYPE = "application/vnd.apache.parquet"

_arrow = ThreadPoolExecutor(1, thread_name_prefix="arrow")


class ParquetRows:
    """Takes the rows of one statement and makes files of them.

    An attempt that repeats another overwrites its files. A statement without rows makes none, but for the first one of
    a table: readers find the columns in its file.
    """

    def __init__(self, store: Store, target: ParquetTarget) -> None:
        self._store, self._target = store, target
        self._schema = arrow_schema(target.columns)
        self._parser = RowParser(target.columns)
        self._waiting: deque[Future[None]] = deque()
        self._rows: list[bytes] = []
        self._rows_bytes = 0
        self._batches: list[pa.RecordBatch] = []
        self._batch_bytes = 0
        self._file: _OpenFile | None = None
        self._files: list[ParquetFile] = []

    def write(self, rows: bytes) -> None:
        """Take the next rows, as CSV without a header, none of them cut.

        Raises:
            TableError: these, or rows before them, cannot be written as Parquet.
        """
        self._rows.append(rows)
        self._rows_bytes += len(rows)
        if self._rows_bytes >= PARSED_BYTES:
            if len(self._waiting) == WAITING:
                self._waiting.popleft().result()
            self._waiting.append(_arrow.submit(self._parse, self._taken()))

    def finish(self) -> ParquetFiles:
        """Write what there is; return the files.

        Raises:
            TableError: it cannot be written as Parquet.
        """
        while self._waiting:
            self._waiting.popleft().result()
        _arrow.submit(self._end_rows, self._taken()).result()
        with _explained():
            self._end_file()
        return ParquetFiles(tuple(self._files), dict(self._parser.nulled))

    def _taken(self) -> bytes:
        rows = b"".join(self._rows)
        self._rows, self._rows_bytes = [], 0
        return rows

    def _parse(self, rows: bytes) -> None:
        with _explained():
            self._batches.append(self._parser.parse(rows))
            self._batch_bytes += len(rows)
            if self._batch_bytes >= ROW_GROUP_BYTES:
                self._end_row_group()

    def _end_rows(self, rows: bytes) -> None:
        if rows:
            self._parse(rows)
        if self._batches or (self._target.number == 1 and not self._files):
            with _explained():
                self._end_row_group()

    def _end_row_group(self) -> None:
        if self._file is None:
            self._file = _OpenFile(self._schema)
        memory = pa.default_memory_pool()
        memory.release_unused()  # what parsing has left: it would keep twice what it gives
        self._file.write(self._batches)
        self._batches, self._batch_bytes = [], 0
        memory.release_unused()
        if self._file.size >= FILE_BYTES:
            self._end_file()

    def _end_file(self) -> None:
        if self._file is not None:
            number = self._target.number + self._target.step * len(self._files)
            self._files.append(self._file.upload(self._store, self._target.folder, number))
            self._file = None

    def close(self) -> None:
        """Let go of a file that is not finished."""
        for future in self._waiting:
            future.cancel()
        wait(self._waiting)
        if self._file is not None:
            self._file.close()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        raise TableError(f"cannot be written as Parquet: {describe(error)}") from error


class _OpenFile:
    """A file in the making."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema, self._spool, self._rows = schema, Spool(), 0
        self._writer = parquet.ParquetWriter(
            _Sink(self._spool),
            schema,
            compression="zstd",
            compression_level=LEVEL,
            dictionary_pagesize_limit=DICTIONARY_BYTES,
        )

    @property
    def size(self) -> int:
        """The bytes so far."""
        return self._spool.size

    def write(self, batches: list[pa.RecordBatch]) -> None:
        """Append a row group; none without rows."""
        table = pa.Table.from_batches(batches, self._schema)
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._rows += table.num_rows

    def upload(self, store: Store, folder: str, number: int) -> ParquetFile:
        """Write the file's end, and put it into S3."""
        key = f"{folder}part-{number}.parquet"
        self._writer.close()
        try:
            part = store.put_file(key, self._spool.body(), self._spool.size, self._spool.checksum(), CONTENT_TYPE)
        finally:
            self._spool.close()
        return ParquetFile(number, key, self._rows, part.size, part.sha256)

    def close(self) -> None:
        """Let go of it, unfinished."""
        self._writer.close()
        self._spool.close()


class _Sink:
    """A spool as pyarrow writes into it."""

    closed = False
    mode = "wb"

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def write(self, data: Any) -> int:
        self._spool.write(bytes(data))
        return len(data)

    def tell(self) -> int:
        return self._spool.size

    def flush(self) -> None:
        """All is written at once."""

    def close(self) -> None:
        self.closed = True
