"""Rows of a COPY ... CSV as the bytes of their fields, so that what is not changed stays as it is.

Python's csv module cannot tell NULL (nothing) from an empty text (``""``).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

# As COPY writes it, a field is quoted as a whole or not at all.
_FIELD = re.compile(rb'("(?:[^"]+|"")*"|[^",\n]*)([,\n])')
_SPECIAL = re.compile(rb'[",\r\n]')


def rows(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the fields of each row of a text that comes in blocks, which may end anywhere."""
    for text in whole_rows(blocks):
        row: list[bytes] = []
        for field, end in _FIELD.findall(text):
            row.append(field)
            if end == b"\n":
                yield row
                row = []


def whole_rows(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same text in pieces of whole rows: cut at line ends outside of quotes."""
    begun: list[bytes] = []
    quoted = False  # at the end of what has begun
    for block in blocks:
        quoted ^= block.count(b'"') % 2 == 1
        end = _last_line_end(block, quoted)
        if end:
            yield b"".join([*begun, block[:end]])
            begun = []
        begun.append(block[end:])
    if rest := b"".join(begun):
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _last_line_end(block: bytes, quoted: bool) -> int:
    """Return the place after the last line end outside of quotes, 0 if there is none; ``quoted``: at its end."""
    end = len(block)
    while (found := block.rfind(b"\n", 0, end)) >= 0:
        quoted ^= block.count(b'"', found, end) % 2 == 1
        if not quoted:
            return found + 1
        end = found
    return 0


def line(row: Sequence[bytes]) -> bytes:
    """Return the line of a row."""
    return b",".join(row) + b"\n"


def value(field: bytes) -> str | None:
    """Return what a field says; None: NULL."""
    if not field:
        return None
    return (field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field).decode()


def field_of(text: str) -> bytes:
    """Return a text, which is not NULL, as a field."""
    raw = text.encode()
    return b'"' + raw.replace(b'"', b'""') + b'"' if not raw or _SPECIAL.search(raw) else raw
