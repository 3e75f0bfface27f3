"""Bytes on their way to S3: hashed as they come, in memory up to a bound and in a temporary file beyond it."""

import hashlib
import io
import tempfile
from typing import IO

from metadata_export.parts import MIB, base64_digest

MEMORY_BYTES = 32 * MIB


class Spool:
    """Collects one part. S3 wants a part's length first, so it is complete before it is sent."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._memory = io.BytesIO()
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, block: bytes) -> None:
        """Append a block."""
        self._hash.update(block)
        self.size += len(block)
        if self._file is not None:
            self._file.write(block)
            return
        self._memory.write(block)
        if self.size > self._memory_bytes:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the spool
            self._file.write(self._memory.getbuffer())
            self._memory = io.BytesIO()

    def checksum(self) -> str:
        """Return the SHA-256 of everything written, in base64."""
        return base64_digest(self._hash.digest())

    def body(self) -> bytes | IO[bytes]:
        """Return everything written, as what an upload takes."""
        if self._file is None:
            return self._memory.getvalue()  # CPython hands out its buffer without a copy
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Let go of the temporary file, if there is one."""
        if self._file is not None:
            self._file.close()
