"""SHA-256 of an object, computed while it is read."""

import base64
import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any, Protocol


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

    def __init__(self, body: Any, digest: Digest, note: Callable[[int], None], keep: Keep | None = None) -> None:
        """Read from ``body``, which has ``read(size)``."""
        self._body, self._digest, self._note, self._keep = body, digest, note, keep

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
