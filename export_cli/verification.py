"""Reads an exported object once, in constant memory, and checks everything that the summary says of it."""

import base64
import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from export_contracts.exported_table import ExportedTable
from export_runtime.text import shown

# A value of a JSON or bytea column may be of any size.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
CHUNK = 1 << 20


@dataclass(frozen=True)
class TableVerdict:
    """What was found of a table's object; no problem means that it is what the summary says."""

    table: str
    key: str
    object_bytes: int
    rows: int
    problems: tuple[str, ...]


class Keep(Protocol):
    """Receives what is read as well: a file."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


class Digest:
    """SHA-256 of an object as S3 computes it: plain, or of the parts' digests for a multipart upload.

    AWS documented: a composite checksum is that of the parts' digests, followed by their number.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """

    def __init__(self, part_sizes: Sequence[int], composite: bool) -> None:
        """Expect parts of these sizes in bytes; what comes after the last counts towards it."""
        self._left, self._composite = list(part_sizes), composite
        self._part, self._digests = hashlib.sha256(), list[bytes]()
        self.size = 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        while len(self._left) > 1 and len(data) >= self._left[0]:
            self._part.update(data[: self._left[0]])
            data = data[self._left.pop(0) :]
            self._digests.append(self._part.digest())
            self._part = hashlib.sha256()
        self._part.update(data)
        self._left[:1] = [self._left[0] - len(data)] if self._left else []

    def checksum(self) -> str:
        """Return the checksum in base64, with the number of parts if it is composite."""
        if not self._composite:
            return base64.b64encode(self._part.digest()).decode()
        digests = [*self._digests, self._part.digest()]
        return f"{base64.b64encode(hashlib.sha256(b''.join(digests)).digest()).decode()}-{len(digests)}"


class Tee(io.RawIOBase):
    """A stream of which every byte that is read is also digested, noted and (if wanted) kept."""

    def __init__(self, body: Any, digest: Digest, keep: Keep | None, note: Callable[[int], None]) -> None:
        """Read from ``body``, which has ``read(size)``."""
        self._body, self._digest, self._keep, self._note = body, digest, keep, note

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        data = self._body.read(len(buffer))
        self._digest.update(data)
        self._note(len(data))
        if self._keep:
            self._keep.write(data)
        buffer[: len(data)] = data
        return len(data)


def verify_table(
    table: str, entry: ExportedTable, body: Any, keep: Keep | None, note: Callable[[int], None]
) -> TableVerdict:
    """Read an object to its end and return what is wrong with it.

    Args:
        table: its name.
        entry: what the summary says of it.
        body: the object's bytes, with ``read(size)``.
        keep: where they are written too.
        note: told how many bytes were read.
    """
    digest = Digest(entry.part_sizes, "-" in entry.checksum_sha256)
    stream = io.BufferedReader(Tee(body, digest, keep, note), CHUNK)
    rows, problem = _read_rows(stream, [column.name for column in entry.columns])
    while stream.read(CHUNK):
        pass
    problems = [*_differences(entry, digest), *([problem] if problem else [])]
    if not problem and rows != entry.rows:
        problems.append(f"has {rows:,} rows, the summary says {entry.rows:,}")
    return TableVerdict(table, entry.key, digest.size, rows, tuple(problems))


def _differences(entry: ExportedTable, digest: Digest) -> Iterator[str]:
    if digest.size != entry.object_bytes:
        yield f"has {digest.size:,} bytes, the summary says {entry.object_bytes:,}"
    if digest.size != sum(entry.part_sizes):
        yield f"has {digest.size:,} bytes, the parts in the summary {sum(entry.part_sizes):,}"
    if digest.checksum() != entry.checksum_sha256:
        yield f"has SHA-256 {digest.checksum()}, the summary says {shown(entry.checksum_sha256)}"


def _read_rows(stream: "io.BufferedReader[Tee]", columns: list[str]) -> tuple[int, str | None]:
    """Return the number of rows after the header, and what is wrong with the gzip or the CSV."""
    rows = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            records = csv.reader(_lines(unzipped), strict=True)
            header = next(records, None)
            if header != columns:
                return 0, f"has the header {shown(header)}, the summary has the columns {shown(columns)}"
            for rows, record in enumerate(records, 1):
                # One column that is NULL is an empty line, which csv gives as no field.
                if len(record) != len(columns) and (record or len(columns) != 1):
                    return rows, f"row {rows:,} has {len(record)} fields, the header {len(columns)}"
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return rows, f"is not readable as gzip after {rows:,} rows ({error})"
    except (csv.Error, UnicodeDecodeError) as error:
        return rows, f"is not readable as CSV after {rows:,} rows ({error})"
    return rows, None


def _lines(stream: gzip.GzipFile) -> Iterator[str]:
    """Yield lines without their LF, and split at LF only: values may hold every other character that ends a line."""
    rest = b""
    while chunk := stream.read(CHUNK):
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield from whole.decode().split("\n")
    if rest:
        yield rest.decode()
