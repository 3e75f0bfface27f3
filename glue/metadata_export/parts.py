"""The arithmetic of S3 multipart uploads with checksums.

AWS documented: parts are 5 MiB to 5 GiB, the last may be smaller, and numbered 1 to 10,000; an object has 48.8 TiB at
most, which is 10,000 of the largest parts. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html

AWS documented: with a checksum on each part the numbers must start at 1 and have no gap (emulators let gaps pass).
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html
"""

import base64
import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB
MINIMUM_PART_BYTES = 5 * MIB
MAXIMUM_PARTS = 10_000
PART_BYTES = GIB  # of the first parts, see part_bytes


@dataclass(frozen=True)
class Part:
    """One uploaded part, or a whole object as its only one."""

    number: int
    size: int
    etag: str
    sha256: str
    """base64"""


def part_bytes(number: int) -> int:
    """Return how many bytes a part takes before the next one begins.

    More for the higher numbers: 10,000 parts hold 26 TiB. 3 GiB leave room for the last rows of a part, which come in a
    block of kilobytes or as one row, and no row of COPY has more than 1 GiB (PostgreSQL's MaxAllocSize).
    """
    return PART_BYTES * min(3, 1 + number // 1000)


class PartNumbers:
    """Hands out the lowest free part number; one that comes back unused is handed out again, so that gaps are rare."""

    def __init__(self) -> None:
        self._free = list(range(1, MAXIMUM_PARTS + 1))

    def take(self, lowest: int = 1) -> int:
        """Return the lowest number, from `lowest` on, that is neither used nor under way.

        Raises:
            IndexError: there is none.
        """
        return self._free.pop(bisect_left(self._free, lowest))

    def take_all(self) -> tuple[int, ...]:
        """Return all numbers that are neither used nor under way."""
        taken, self._free = tuple(self._free), []
        return taken

    def left(self) -> int:
        """Return how many numbers are neither used nor under way."""
        return len(self._free)

    def give_back(self, numbers: Iterable[int]) -> None:
        """Return numbers that no part was uploaded under."""
        self._free = sorted([*self._free, *numbers])

    def gaps(self, highest_used: int) -> list[int]:
        """Return the numbers below the highest used one that have no part, once nothing is under way any more."""
        return self._free[: bisect_left(self._free, highest_used)]


def base64_digest(digest: bytes) -> str:
    """Return a digest the way S3 spells it."""
    return base64.b64encode(digest).decode()


def sha256_base64(body: bytes) -> str:
    """Return the SHA-256 of a body the way S3 spells it."""
    return base64_digest(hashlib.sha256(body).digest())


def composite_checksum(parts: Sequence[Part]) -> str:
    """Return the checksum S3 gives an object of these parts: that of the parts' digests, and their number.

    AWS documented: how S3 makes composite checksums. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    digests = b"".join(base64.b64decode(part.sha256) for part in parts)
    return f"{sha256_base64(digests)}-{len(parts)}"
