"""Reads an exported object once, in constant memory, and checks everything that the summary says of it."""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import ExportedTable
from export_runtime.text import shown
from metadata_restore.digest import Digest, Keep, Tee

# A value of a JSON or bytea column may be of any size.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
CHUNK = 1 << 20
SCHEMA = "(schema)"


@dataclass(frozen=True)
class TableVerdict:
    """What was found of a table's object; no problem means that it is what the summary says."""

    table: str
    key: str
    object_bytes: int
    rows: int
    problems: tuple[str, ...]


def verify_table(
    table: str, entry: ExportedTable, body: Any, keep: Keep | None, note: Callable[[int], None]
) -> TableVerdict:
    """Read an object to its end and return what is wrong with it.

    Args:
        table: its name.
        entry: what the summary says of it.
        body: the object's bytes, with ``read(size)``.
        keep: where they are written too.
        note: told how many bytes were read.
    """
    digest = Digest(entry.part_sizes, "-" in entry.checksum_sha256)
    stream = io.BufferedReader(Tee(body, digest, note, keep), CHUNK)
    rows, problem = _read_rows(stream, [column.name for column in entry.columns])
    while stream.read(CHUNK):
        pass
    problems = [*_differences(entry, digest), *([problem] if problem else [])]
    if not problem and rows != entry.rows:
        problems.append(f"has {rows:,} rows, the summary says {entry.rows:,}")
    return TableVerdict(table, entry.key, digest.size, rows, tuple(problems))


def verify_schema(schema: ExportedSchema, body: Any, keep: Keep | None, note: Callable[[int], None]) -> TableVerdict:
    """Read the object of the schema to its end and return what is wrong with it; arguments as for ``verify_table``."""
    digest = Digest((schema.object_bytes,), composite=False)
    stream = io.BufferedReader(Tee(body, digest, note, keep), CHUNK)
    while stream.read(CHUNK):
        pass
    return TableVerdict(SCHEMA, schema.key, digest.size, 0, tuple(_not_these_bytes(schema, digest)))


def _differences(entry: ExportedTable, digest: Digest) -> Iterator[str]:
    yield from _not_these_bytes(entry, digest)
    if digest.size != sum(entry.part_sizes):
        yield f"has {digest.size:,} bytes, the parts in the summary {sum(entry.part_sizes):,}"


def _not_these_bytes(entry: ExportedTable | ExportedSchema, digest: Digest) -> Iterator[str]:
    if digest.size != entry.object_bytes:
        yield f"has {digest.size:,} bytes, the summary says {entry.object_bytes:,}"
    if digest.checksum() != entry.checksum_sha256:
        yield f"has SHA-256 {digest.checksum()}, the summary says {shown(entry.checksum_sha256)}"


def _read_rows(stream: "io.BufferedReader[Tee]", columns: list[str]) -> tuple[int, str | None]:
    """Return the number of rows after the header, and what is wrong with the gzip or the CSV."""
    rows = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            records = csv.reader(_lines(unzipped), strict=True)
            header = next(records, None)
            if header != columns:
                return 0, f"has the header {shown(header)}, the summary has the columns {shown(columns)}"
            for rows, record in enumerate(records, 1):
                # One column that is NULL is an empty line, which csv gives as no field.
                if len(record) != len(columns) and (record or len(columns) != 1):
                    return rows, f"row {rows:,} has {len(record)} fields, the header {len(columns)}"
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return rows, f"is not readable as gzip after {rows:,} rows ({error})"
    except (csv.Error, UnicodeDecodeError) as error:
        return rows, f"is not readable as CSV after {rows:,} rows ({error})"
    return rows, None


def _lines(stream: gzip.GzipFile) -> Iterator[str]:
    """Yield lines without their LF, and split at LF only: values may hold every other character that ends a line."""
    rest = b""
    while chunk := stream.read(CHUNK):
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield from whole.decode().split("\n")
    if rest:
        yield rest.decode()
