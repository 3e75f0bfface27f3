"""One S3 object made by many tasks: the driver's side of a multipart upload.

Each chunk of a table is one part; what is too little for a part comes back and joins others of its kind in a part
that the driver uploads. Members of gzip may stand in any order, but the header comes first: whoever makes part 1
puts it there.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from metadata_export.compress import compressed, padded
from metadata_export.parts import MIB, MINIMUM_PART_BYTES, Part, PartNumbers, composite_checksum, sha256_base64
from metadata_export.storage import Store
from metadata_export.task import ChunkResult

LEFTOVER_BYTES = 8 * MIB  # of leftovers before the driver uploads them as a part


@dataclass(frozen=True)
class UploadedObject:
    """A finished object, as the manifest describes it."""

    rows: int
    csv_bytes: int
    object_bytes: int
    checksum_sha256: str
    part_sizes: tuple[int, ...]


@dataclass
class ObjectUpload:
    """A multipart upload in progress; safe to use from several threads."""

    store: Store
    key: str
    header: bytes
    _upload_id: str = ""
    _numbers: PartNumbers = field(default_factory=PartNumbers)
    _parts: list[Part] = field(default_factory=list)
    _leftover: bytearray = field(default_factory=bytearray)
    _rows: int = 0
    _csv_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin_chunk(self) -> tuple[str, int]:
        """Return the upload's id and the number of the part that a chunk may make; the first call begins the upload."""
        with self._lock:
            if not self._upload_id:
                self._upload_id = self.store.create_upload(self.key)
            return self._upload_id, self._numbers.take()

    def end_chunk(self, number: int, result: ChunkResult) -> None:
        """Take in what a chunk came to, under the number it was given."""
        with self._lock:
            self._rows += result.rows
            self._csv_bytes += result.csv_bytes
            if result.part is not None:
                self._parts.append(result.part)
                return
            self._numbers.give_back(number)
            self._leftover += result.leftover
            if len(self._leftover) >= LEFTOVER_BYTES:
                self._upload_leftover(self._numbers.take())

    def complete(self) -> UploadedObject:
        """Make the object, once no chunk is under way any more."""
        with self._lock:
            # A number that came back while a higher one was in use: fill it, since S3 takes no gap.
            for _ in self._numbers.gaps(max((part.number for part in self._parts), default=0)):
                self._upload_leftover(self._numbers.take(), at_least=MINIMUM_PART_BYTES)
            if not self._parts:
                return self._put_whole()
            if self._leftover:
                self._upload_leftover(self._numbers.take())
            parts = sorted(self._parts, key=lambda part: part.number)
            self.store.complete_upload(self.key, self._upload_id, parts)
        return self._describe(parts, composite_checksum(parts))

    def _put_whole(self) -> UploadedObject:
        """Write an object that came to less than one part."""
        self.store.abort_upload(self.key, self._upload_id)
        part = self.store.put(self.key, compressed(self.header) + bytes(self._leftover))
        return self._describe([part], part.sha256)

    def _describe(self, parts: Sequence[Part], checksum: str) -> UploadedObject:
        return UploadedObject(
            rows=self._rows,
            csv_bytes=self._csv_bytes + len(self.header),
            object_bytes=sum(part.size for part in parts),
            checksum_sha256=checksum,
            part_sizes=tuple(part.size for part in parts),
        )

    def _upload_leftover(self, number: int, *, at_least: int = 0) -> None:
        header = compressed(self.header) if number == 1 else b""
        body = padded(header + bytes(self._leftover), at_least)
        self._leftover.clear()
        part = self.store.upload_part(self.key, self._upload_id, number, body, len(body), sha256_base64(body))
        self._parts.append(part)
