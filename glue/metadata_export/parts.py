"""The arithmetic of S3 multipart uploads with checksums.

Parts are 5 MiB or more, the last excepted, and numbered 1 to 10,000
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). With a checksum on each part the numbers must
start at 1 and have no gap (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html); emulators let
gaps pass.
"""

import base64
import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1024 * 1024
MINIMUM_PART_BYTES = 5 * MIB
MAXIMUM_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """One uploaded part, or a whole object as its only one."""

    number: int
    size: int
    etag: str
    sha256: str
    """base64"""


class PartNumbers:
    """Hands out the lowest free part number; one that comes back unused is handed out again, so that gaps are rare."""

    def __init__(self) -> None:
        self._returned: list[int] = []
        self._next = 1

    def take(self) -> int:
        """Return the lowest number that is neither used nor under way."""
        if self._returned:
            return heapq.heappop(self._returned)
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        """Return a number that no part was uploaded under."""
        heapq.heappush(self._returned, number)

    def gaps(self, highest_used: int) -> list[int]:
        """Return the numbers below the highest used one that have no part, once nothing is under way any more."""
        return sorted(number for number in self._returned if number < highest_used)


def base64_digest(digest: bytes) -> str:
    """Return a digest the way S3 spells it."""
    return base64.b64encode(digest).decode()


def sha256_base64(body: bytes) -> str:
    """Return the SHA-256 of a body the way S3 spells it."""
    return base64_digest(hashlib.sha256(body).digest())


def composite_checksum(parts: Sequence[Part]) -> str:
    """Return the checksum S3 gives an object of these parts: that of the parts' digests, and their number.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html (composite checksums)
    """
    digests = b"".join(base64.b64decode(part.sha256) for part in parts)
    return f"{sha256_base64(digests)}-{len(parts)}"
