"""gzip members: they concatenate to one valid gzip file (RFC 1952, section 2.2), so chunks are compressed apart."""

from typing import Protocol

try:
    from isal import isal_zlib as _zlib  # several times as fast as zlib's fastest level, at the same size
except ImportError:
    import zlib as _zlib  # type: ignore[no-redef]

LEVEL = 1
GZIP = 31  # wbits: 32 KiB window, gzip wrapper
EMPTY_STORED_BLOCK = b"\x00\x00\x00\xff\xff"  # RFC 1951, section 3.2.4: not final, stored, length 0 and its complement
LAST_STORED_BLOCK = b"\x01\x00\x00\xff\xff"
MEMBER_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no flags, no time, unknown system
MEMBER_TRAILER = bytes(8)  # CRC-32 and length of nothing


class Compressor(Protocol):
    """A gzip member in the making."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what is ready of the member."""

    def flush(self) -> bytes:
        """Return the rest of the member."""


def gzip_member() -> Compressor:
    """Begin a gzip member."""
    compressor: Compressor = _zlib.compressobj(LEVEL, _zlib.DEFLATED, GZIP)
    return compressor


def compressed(data: bytes) -> bytes:
    """Return data as one gzip member."""
    member = gzip_member()
    return member.compress(data) + member.flush()


def padded(body: bytes, minimum: int) -> bytes:
    """Return `body`, followed by a gzip member of nothing but empty blocks where it has fewer than `minimum` bytes.

    S3 takes no part under 5 MiB that is not the last; every reader of gzip passes over empty blocks.
    """
    frame = len(MEMBER_HEADER) + len(LAST_STORED_BLOCK) + len(MEMBER_TRAILER)
    blocks = -(-(minimum - len(body) - frame) // len(EMPTY_STORED_BLOCK))
    if len(body) >= minimum:
        return body
    return body + MEMBER_HEADER + EMPTY_STORED_BLOCK * max(0, blocks) + LAST_STORED_BLOCK + MEMBER_TRAILER
