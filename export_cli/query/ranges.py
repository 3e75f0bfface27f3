"""An object of S3 of which only the ranges that are needed are read, in blocks that are kept in the cache."""

import hashlib
import io
import threading
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from botocore.exceptions import ClientError
from export_contracts.parquet import ParquetFile
from export_runtime.text import shown

from export_cli.aws import call
from export_cli.errors import NotFoundError, UnreadableSummaryError
from export_cli.query.bucket import Bucket
from export_cli.query.cache import Cache, used

BLOCK = 1024 * 1024


class RangedObject:
    """A Parquet file in S3. Several threads may read it."""

    def __init__(self, cache: Cache, bucket: Bucket | None, file: ParquetFile) -> None:
        """Read it with these credentials; None: no network."""
        self._cache, self._bucket, self._file = cache, bucket, file
        told = f"{file.key} {file.checksum_sha256} {file.object_bytes}"
        self._folder = hashlib.sha256(told.encode()).hexdigest()
        self._lock = threading.Lock()
        self._etag: str | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self._file.object_bytes

    def open(self) -> "RangedFile":
        """Return it as a file."""
        return RangedFile(self)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes [start, end).

        Raises:
            NotFoundError: it is gone or archived, or there is no network and it is not in the cache.
            UnreadableSummaryError: it is not what the summary says.
            LocalError: the cache cannot be written.
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        if start >= end:
            return b""
        first, last = start // BLOCK, (end - 1) // BLOCK
        blocks = {number: self._kept(number) for number in range(first, last + 1)}
        for _, run in groupby((number for number, block in blocks.items() if block is None), _Together()):
            numbers = list(run)
            blocks.update(self._fetched(numbers[0], numbers[-1]))
        return b"".join(block or b"" for block in blocks.values())[start - first * BLOCK :][: end - start]

    def _kept(self, number: int) -> bytes | None:
        path = self._cache.data("parquet", self._folder, str(number))
        try:
            block = path.read_bytes() if used(path) else b""
        except OSError:  # another command has just made room
            return None
        # One is shorter when this machine went down soon after it was written.
        return block if len(block) == min(BLOCK, self.size - number * BLOCK) else None

    def _fetched(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        body = self._get(first * BLOCK, min((last + 1) * BLOCK, self.size))
        for number in range(first, last + 1):
            block = body[(number - first) * BLOCK :][:BLOCK]
            self._cache.keep(self._cache.data("parquet", self._folder, str(number)), block)
            yield number, block

    def _get(self, start: int, end: int) -> bytes:
        if self._bucket is None:
            raise NotFoundError(f"{self._file.key} is not whole in {self._cache.folder}. Query it without --offline.")
        address = f"s3://{self._bucket.name}/{self._file.key}"
        wanted: dict[str, Any] = {"Bucket": self._bucket.name, "Key": self._file.key}
        with call(f"read {address}"):
            try:
                etag = self._checked(wanted, address)
                answer = self._bucket.client.get_object(**wanted, Range=f"bytes={start}-{end - 1}", IfMatch=etag)
                return bytes(answer["Body"].read())
            except ClientError as error:
                self._bucket.refuse(error, address)
                raise

    def _checked(self, wanted: dict[str, Any], address: str) -> str:
        """Return the tag of the object, which must be the one that the summary tells of."""
        with self._lock:
            if self._etag is None:
                head = self._bucket.client.head_object(**wanted, ChecksumMode="ENABLED")  # type: ignore[union-attr]
                found = head.get("ChecksumSHA256", self._file.checksum_sha256), head["ContentLength"]
                if found != (self._file.checksum_sha256, self.size):
                    raise UnreadableSummaryError(
                        f"{address} is not what the summary says: its SHA-256 is {shown(found[0])} of {found[1]:,} "
                        f"bytes, expected was {shown(self._file.checksum_sha256)} of {self.size:,}."
                    )
                self._etag = str(head["ETag"])
            return self._etag


class _Together:
    """Tells runs of numbers that follow each other from one another."""

    def __init__(self) -> None:
        self._run, self._before = 0, -2

    def __call__(self, number: int) -> int:
        self._run += number != self._before + 1
        self._before = number
        return self._run


class RangedFile(io.RawIOBase):
    """The same as a file. Each thread has a position of its own: DuckDB seeks and reads in two calls."""

    def __init__(self, source: RangedObject) -> None:
        """Begin at its start."""
        self._source, self._place = source, threading.local()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it has positions."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return int(getattr(self._place, "at", 0))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position and return it."""
        self._place.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._source.size}[whence]
        return self.tell()

    def read(self, size: int | None = -1) -> bytes:
        """Return so many bytes, fewer at the end; see ``RangedObject.read`` for errors."""
        start = self.tell()
        end = self._source.size if size is None or size < 0 else min(start + size, self._source.size)
        data = self._source.read(start, end)
        self._place.at = start + len(data)
        return data
