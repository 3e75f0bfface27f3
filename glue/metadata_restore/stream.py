"""One object into one table: fetched, unzipped, rewritten if need be, and loaded, without a file in between.

What was loaded must not be committed before this returns: only then is the object known to be what was exported.
"""

import csv
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import cast

from isal import igzip, igzip_lib
from psycopg import sql

from metadata_restore.database import Connection, naming
from metadata_restore.digest import Digest, Tee
from metadata_restore.errors import DamagedObjectError
from metadata_restore.objects import Objects
from metadata_restore.plan import PlannedTable

BLOCK = 1 << 18  # bytes of CSV; psycopg takes several times as long with rows one by one
_FETCHED = 1 << 20
# isal's stubs call its exception class an exception
_NO_GZIP = (igzip.BadGzipFile, EOFError, zlib.error, cast("type[Exception]", igzip_lib.IsalError))
Note = Callable[[int], None]
"""is told how many bytes of objects were read"""
Rewrite = Callable[[Iterable[bytes]], Iterator[bytes]]
"""takes the lines after the header and gives others, in blocks of any size"""


def load(
    connection: Connection,
    objects: Objects,
    table: PlannedTable,
    relation: sql.Composable,
    note: Note,
    *,
    rewrite: Rewrite | None = None,
    options: str = "",
) -> int:
    """Load a table's object within the connection's transaction, and return how many rows that were.

    Args:
        relation: where to.
        rewrite: what becomes of the rows on the way; as many come out.
        options: further ones of COPY, as ``, FREEZE``.

    Raises:
        DamagedObjectError: the object is not what was exported; what was loaded must be rolled back.
        ObjectsUnavailableError: it could not be read to its end.
        TargetError: the database refuses a row, or the connection is lost.
    """
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv{})").format(relation, columns, sql.SQL(options))
    with naming(f"load the table {table.name}"), connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            rows = _rows(objects, table, note)
            for block in rewrite(rows) if rewrite else rows:
                copy.write(block)
        loaded = cursor.rowcount
    if loaded != table.rows:
        raise DamagedObjectError(f"{table.key} has {loaded:,} rows, the export says {table.rows:,}.")
    return loaded


def read(objects: Objects, table: PlannedTable, note: Note) -> Iterator[bytes]:
    """Yield the rows of an object, without the header, in blocks that end anywhere; see ``load`` for errors."""
    return _rows(objects, table, note)


def _rows(objects: Objects, table: PlannedTable, note: Note) -> Iterator[bytes]:
    digest = Digest(table.part_sizes, "-" in table.checksum_sha256)
    with closing(objects.open(table.key)) as body:
        stream: io.BufferedReader[Tee] = io.BufferedReader(Tee(body, digest, note), _FETCHED)
        try:
            yield from _after_header(_unzipped(stream), table)
        except _NO_GZIP as error:
            raise DamagedObjectError(f"{table.key} is not readable as gzip ({error}). {_ADVICE}") from error
        while stream.read(_FETCHED):
            pass
    if digest.size != table.object_bytes:
        expected = f"{table.object_bytes:,}"
        raise DamagedObjectError(f"{table.key} has {digest.size:,} bytes, the export says {expected}. {_ADVICE}")
    if digest.checksum() != table.checksum_sha256:
        found = digest.checksum()
        raise DamagedObjectError(
            f"{table.key} has the SHA-256 {found}, the export says {table.checksum_sha256}. {_ADVICE}"
        )


_ADVICE = "It is not what was exported: choose another export (mwaa-metadata-export verify says what is damaged)."


def _unzipped(stream: "io.BufferedReader[Tee]") -> Iterator[bytes]:
    with igzip.IGzipFile(fileobj=stream, mode="rb") as unzipped:  # type: ignore[no-untyped-call]
        while block := unzipped.read(BLOCK):
            yield block


def _after_header(blocks: Iterator[bytes], table: PlannedTable) -> Iterator[bytes]:
    """Yield what comes after the first line, which must name the columns of the plan."""
    expected = [column.name for column in table.columns]
    begun = b""
    for block in blocks:
        begun += block
        end = _end_of_record(begun)
        if end:
            header = next(csv.reader(io.StringIO(begun[:end].decode(errors="replace"), newline=""), strict=False))
            if header != expected:
                break
            yield begun[end:]
            yield from blocks
            return
        if len(begun) > _FETCHED:  # 1,600 columns of 63 bytes are less
            break
    raise DamagedObjectError(f"{table.key} does not begin with the names of its columns. {_ADVICE}")


def _end_of_record(text: bytes) -> int:
    """Return how long the first record is, with its line end; 0 when it has not ended."""
    end = -1
    while (end := text.find(b"\n", end + 1)) >= 0:
        if text.count(b'"', 0, end) % 2 == 0:
            return end + 1
    return 0
