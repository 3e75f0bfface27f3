"""What a chunk of a table becomes: parts of the table's object, in constant memory and on constant disk."""

from dataclasses import dataclass
from types import TracebackType

from metadata_export.compress import gzip_member
from metadata_export.parquet_target import ParquetFiles, ParquetTarget
from metadata_export.parts import MINIMUM_PART_BYTES, Part, part_bytes
from metadata_export.spool import Spool
from metadata_export.statements import Statement
from metadata_export.storage import Store


@dataclass(frozen=True)
class ChunkTask:
    """One COPY statement of a table that takes several, or is too large to share a task."""

    table: str
    key: str
    statement: Statement
    upload_id: str
    part_numbers: tuple[int, ...]
    """of the parts that it may make, the lowest first"""
    header: bytes
    """the first line of the file, for whoever is given number 1"""
    parquet: ParquetTarget | None = None
    """where the rows go as Parquet too"""


@dataclass(frozen=True)
class ChunkResult:
    """What a chunk came to: parts, and rows that are too few for one."""

    rows: int
    csv_bytes: int
    parts: tuple[Part, ...]
    leftover: bytes
    """a gzip member under the part minimum; it begins with the header where the chunk had number 1 and made no part"""
    content: int = 0
    """of the rows, see `content`"""
    overflow: bool = False
    """it needs more parts than it was given numbers: nothing of it counts"""
    parquet: ParquetFiles | None = None


class PartsUsedUpError(Exception):
    """More rows came than the parts that a chunk may make can hold."""


class ChunkParts:
    """Takes the rows of one chunk and makes parts of them, each of them one gzip member of whole rows.

    A part is uploaded when there are rows for the next one: a chunk that overflows its only part uploads nothing. An
    attempt that repeats another overwrites its parts; those that it does not reach are in no list of parts.

    AWS documented: a part is overwritten by a later one of its number, and the object holds the parts that are listed.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

    Args:
        read_on: after an overflow read on, only to keep the connection; otherwise an overflow raises.
    """

    def __init__(self, store: Store, task: ChunkTask, *, read_on: bool) -> None:
        self._store, self._task, self._read_on = store, task, read_on
        self._parts: list[Part] = []
        self._overflow = False
        self._member, self._spool, self._empty = gzip_member(), Spool(), True

    def write(self, rows: bytes) -> None:
        """Take the next rows, as CSV.

        Raises:
            PartsUsedUpError: there is no number for the part that they belong to.
        """
        if self._spool.size >= part_bytes(self._number):
            self._next_part()
        if self._overflow:
            return
        if self._empty and self._number == 1:
            # In one member with the rows: a reader that stops after the first member must not see an empty table.
            rows = self._task.header + rows
        self._empty = False
        self._spool.write(self._member.compress(rows))

    def finish(self, rows: int, csv_bytes: int, content: int) -> ChunkResult:
        """Upload what there is, unless it is too little for a part; return what the chunk came to."""
        if self._overflow:
            return OVERFLOW
        leftover = b""
        if not self._empty:
            self._spool.write(self._member.flush())
            body = self._spool.body()
            if isinstance(body, bytes) and len(body) < MINIMUM_PART_BYTES:
                leftover = body
            else:
                self._upload()
        return ChunkResult(rows, csv_bytes, tuple(self._parts), leftover, content)

    @property
    def _number(self) -> int:
        """The number of the part in the making."""
        return self._task.part_numbers[len(self._parts)]

    def _next_part(self) -> None:
        if len(self._parts) + 1 < len(self._task.part_numbers):
            self._spool.write(self._member.flush())
            self._upload()
        elif self._read_on:
            self._overflow = True
        else:
            raise PartsUsedUpError
        self._spool.close()
        self._member, self._spool, self._empty = gzip_member(), Spool(), True

    def _upload(self) -> None:
        key, upload_id, spool = self._task.key, self._task.upload_id, self._spool
        part = self._store.upload_part(key, upload_id, self._number, spool.body(), spool.size, spool.checksum())
        self._parts.append(part)

    def __enter__(self) -> "ChunkParts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spool.close()


OVERFLOW = ChunkResult(rows=0, csv_bytes=0, parts=(), leftover=b"", overflow=True)
