"""One S3 object made by many tasks: the driver's side of a multipart upload.

A chunk of a table becomes a part, or several where it is the only one at work; what is too little for a part comes back
and joins others of its kind in a part that the driver uploads. Members of gzip may stand in any order, but the first
one holds the header, and rows if there are any: the chunk that is given number 1 puts the header before its rows.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from metadata_export.chunk import ChunkResult
from metadata_export.compress import compressed, padded
from metadata_export.errors import StorageError
from metadata_export.parts import (
    MAXIMUM_PARTS,
    MIB,
    MINIMUM_PART_BYTES,
    Part,
    PartNumbers,
    composite_checksum,
    sha256_base64,
)
from metadata_export.storage import Store

LEFTOVER_BYTES = 8 * MIB  # of leftovers before the driver uploads them as a part
FIRST = 1  # the part with the header


@dataclass(frozen=True)
class UploadedObject:
    """A finished object, as the manifest describes it."""

    rows: int
    csv_bytes: int
    object_bytes: int
    checksum_sha256: str
    part_sizes: tuple[int, ...]
    content: int
    """of the rows, see `content`"""


@dataclass(frozen=True)
class _EndedChunk:
    index: int
    numbers: tuple[int, ...]
    result: ChunkResult


@dataclass
class ObjectUpload:
    """A multipart upload in progress; safe to use from several threads.

    The number 1 goes to one chunk after the other until one has rows. By then the last chunks may be under way with
    other numbers: so the result of the first of them is held back, and that chunk runs again if no other has rows to
    follow the header.
    """

    store: Store
    key: str
    header: bytes
    overflowed: list[int] = field(default_factory=list)
    """chunks that need several parts: to be run again, alone"""
    _upload_id: str = ""
    _numbers: PartNumbers = field(default_factory=PartNumbers)
    _parts: list[Part] = field(default_factory=list)
    _leftover: bytearray = field(default_factory=bytearray)
    _leftover_is_first: bool = False
    """it begins with the header, so it has to be part 1"""
    _has_header: bool = False
    """some rows have it before them, in part 1 or in the leftover"""
    _held: _EndedChunk | None = None
    _rows: int = 0
    _csv_bytes: int = 0
    _content: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin_chunk(self, *, alone: bool) -> tuple[str, tuple[int, ...]]:
        """Return the upload's id and the numbers of the parts that a chunk may make; the first call begins the upload.

        Args:
            alone: no other chunk is under way, so that this one may have every number that is left.

        Raises:
            StorageError: there is none.
        """
        with self._lock:
            if not self._upload_id:
                self._upload_id = self.store.create_upload(self.key)
            first = self._take()
            return self._upload_id, (first, *self._numbers.take_all()) if alone else (first,)

    def end_chunk(self, index: int, numbers: tuple[int, ...], result: ChunkResult) -> None:
        """Take in what a chunk came to with the numbers it was given.

        Raises:
            StorageError: all numbers that were left were too few for it.
        """
        with self._lock:
            if result.overflow and not self._numbers.left():
                raise self._too_large()
            if result.overflow:
                self._numbers.give_back(numbers)
                self.overflowed.append(index)
            elif result.rows and not self._has_header and self._held is None and FIRST not in numbers:
                self._held = _EndedChunk(index, numbers, result)
            else:
                self._take_in(numbers, result)

    def release_held(self) -> int | None:
        """Take in the chunk that was held back, or return it to be run again, alone, since nothing has the header."""
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return None
            if self._has_header:
                self._take_in(held.numbers, held.result)
                return None
            self._numbers.give_back(held.numbers)
            return held.index

    def complete(self) -> UploadedObject:
        """Make the object, once no chunk is under way any more and none is held back."""
        with self._lock:
            if not self._parts:
                return self._put_whole()
            if self._leftover_is_first:
                self._upload_leftover(at_least=MINIMUM_PART_BYTES)
            # A number that came back while a higher one was in use: fill it, since S3 takes no gap.
            for _ in self._numbers.gaps(max(part.number for part in self._parts)):
                self._upload_leftover(at_least=MINIMUM_PART_BYTES)
            if self._leftover:
                self._upload_leftover()
            parts = sorted(self._parts, key=lambda part: part.number)
            self.store.complete_upload(self.key, self._upload_id, parts)
        return self._describe(parts, composite_checksum(parts))

    def _take_in(self, numbers: Sequence[int], result: ChunkResult) -> None:
        self._rows += result.rows
        self._csv_bytes += result.csv_bytes
        self._content += result.content
        self._parts += result.parts
        unused = set(numbers) - {part.number for part in result.parts}
        if result.leftover and FIRST in unused:
            self._leftover[:0] = result.leftover
            self._leftover_is_first = True
            unused.remove(FIRST)
        else:
            self._leftover += result.leftover
        self._has_header = self._has_header or (FIRST in numbers and FIRST not in unused)
        self._numbers.give_back(unused)
        if len(self._leftover) >= LEFTOVER_BYTES:
            self._upload_leftover()

    def _put_whole(self) -> UploadedObject:
        """Write an object that came to less than one part."""
        self.store.abort_upload(self.key, self._upload_id)
        part = self.store.put(self.key, bytes(self._leftover) or compressed(self.header))
        return self._describe([part], part.sha256)

    def _describe(self, parts: Sequence[Part], checksum: str) -> UploadedObject:
        return UploadedObject(
            rows=self._rows,
            csv_bytes=self._csv_bytes + len(self.header),
            object_bytes=sum(part.size for part in parts),
            checksum_sha256=checksum,
            part_sizes=tuple(part.size for part in parts),
            content=self._content,
        )

    def _upload_leftover(self, *, at_least: int = 0) -> None:
        number = FIRST if self._leftover_is_first else self._take(FIRST + 1)
        body = padded(bytes(self._leftover), at_least)
        self._leftover.clear()
        self._leftover_is_first = False
        part = self.store.upload_part(self.key, self._upload_id, number, body, len(body), sha256_base64(body))
        self._parts.append(part)

    def _take(self, lowest: int = FIRST) -> int:
        try:
            return self._numbers.take(lowest)
        except IndexError:
            raise self._too_large() from None

    def _too_large(self) -> StorageError:
        return StorageError(
            f"cannot write s3://{self.store.bucket}/{self.key}: the table needs more than the {MAXIMUM_PARTS:,} parts "
            "that one S3 object may have: export fewer of its rows (max_age_in_days), or leave it out (exclude_tables)"
        )
