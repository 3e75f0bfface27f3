"""A checksum of a table's content: the same for the same rows, in whatever order and chunks they come.

It is of what PostgreSQL's COPY gives for each row, before anything is compressed, and is taken again of a database that
was restored. It notices mistakes; against somebody who alters objects there is their SHA-256.
"""

from collections.abc import Iterable
from typing import Any

from xxhash import xxh3_64_intdigest

_SUMS = 1 << 64


def sum_of_rows(rows: Iterable[Any]) -> int:
    """Return the sum of the rows' hashes (XXH3, 64 bits, seed 0); sums of several chunks add up.

    A sum, not an exclusive or: two equal rows would cancel each other out.

    Args:
        rows: each as COPY gives it, with its line end; bytes or what has a buffer of them.
    """
    return sum(map(xxh3_64_intdigest, rows))


def content_checksum(total: int) -> str:
    """Return a sum as documents have it: modulo 2^64, in hexadecimal."""
    return f"xxh3-sum:{total % _SUMS:016x}"
