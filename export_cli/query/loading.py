"""A table's csv.gz of S3 as a Parquet file on this machine, by the recipe of docs/read.md for DuckDB."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import ClientError
from export_contracts.exported_table import ExportedTable
from export_runtime.text import one_line, shown
from metadata_restore.digest import Digest

from export_cli.aws import call
from export_cli.errors import LocalError, NotFoundError, UnreadableSummaryError
from export_cli.files import local, partial_file
from export_cli.query.bucket import Bucket
from export_cli.query.cache import ADVICE, Cache, used
from export_cli.query.connection import connected, interruptible
from export_cli.query.types import TEXT, duckdb_type, identifier, literal, unique_names
from export_cli.screen import Bar
from export_cli.verification import CHUNK

_RECIPE = 2  # raise it when the files that are kept must be made anew
_MAGIC = b"PAR1"  # at the end of every Parquet file
_LOST = "lost_values"
# PostgreSQL holds values of 1 GB; DuckDB takes four times the longest line in memory, so the usual is tried first.
_LONGEST_LINES = (16 * 1024 * 1024, 1100 * 1024 * 1024)
_CSV = (
    "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', "
    "nullstr = '', allow_quoted_nulls = false"
)


def kept_file(cache: Cache, entry: ExportedTable) -> Path:
    """Return where the rows of an object are kept: by its checksum and its columns."""
    columns = [[column.name, column.type] for column in entry.columns]
    told = json.dumps([_RECIPE, entry.checksum_sha256, entry.object_bytes, columns])
    return cache.data("csv", f"{hashlib.sha256(told.encode()).hexdigest()}.parquet")


def is_kept(path: Path) -> bool:
    """Say whether a kept file is there, and whole: one is not when this machine went down soon after it was written."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_MAGIC), os.SEEK_END)
            return file.read() == _MAGIC
    except OSError:  # it is not there, or empty
        return False


def load(cache: Cache, bucket: Bucket | None, entry: ExportedTable, temporary: Path, bar: Bar) -> Path:
    """Return the file with an object's rows; it is made unless it is kept.

    Raises:
        NotFoundError: the object is gone or archived, or there is no network and nothing kept.
        UnreadableSummaryError: the object is not what the summary says.
        LocalError: this machine cannot keep it.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    target = kept_file(cache, entry)
    if is_kept(target) and used(target):
        return target
    if bucket is None:
        raise NotFoundError(f"{entry.key} is not in {cache.folder}. Query it once without --offline.")
    zipped = temporary / "table.csv.gz"
    _fetch(bucket, entry, zipped, bar)
    converted = temporary / "table.parquet"
    try:
        _convert(zipped, entry, converted, temporary)
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise LocalError(f"Could not keep {entry.key} as Parquet: {one_line(str(error), 500)}. {ADVICE}") from error
    with local(target, ADVICE):
        target.parent.mkdir(parents=True, exist_ok=True)
        converted.replace(target)
        zipped.unlink()
    return target


def lost_values(paths: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return, of kept files, how many values of which column DuckDB's type could not hold, so that they are NULL."""
    if not paths:
        return {}
    # In the file itself: beside it, it could be removed from the cache without it.
    select = "SELECT file_name, decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = ?"
    with duckdb.connect() as connection:
        found = connection.execute(select, [list(paths), _LOST]).fetchall()
    return {path: {str(name): int(number) for name, number in json.loads(told).items()} for path, told in found}


def _fetch(bucket: Bucket, entry: ExportedTable, target: Path, bar: Bar) -> None:
    """Write an object into a file, which is there only when the checksum is that of the summary."""
    digest = Digest(entry.part_sizes, "-" in entry.checksum_sha256)
    address = f"s3://{bucket.name}/{entry.key}"
    with call(f"read {address}"), partial_file(target, ADVICE) as file:
        body = _body(bucket, entry.key, address)
        while data := body.read(CHUNK):
            digest.update(data)
            file.write(data)
            bar.advance(len(data))
        if digest.checksum() != entry.checksum_sha256:
            raise UnreadableSummaryError(
                f"{address} is not what the summary says: its SHA-256 is {digest.checksum()}, expected was "
                f"{shown(entry.checksum_sha256)}. See what else is wrong: mwaa-metadata-export verify"
            )
        file.keep()


def _body(bucket: Bucket, key: str, address: str) -> Any:
    try:
        return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"]
    except ClientError as error:
        bucket.refuse(error, address)
        raise


def _convert(zipped: Path, entry: ExportedTable, target: Path, temporary: Path) -> None:
    """Write a table's rows as Parquet, and into it how many values of which column its type cannot hold."""
    names = unique_names(column.name for column in entry.columns)
    types = dict(zip(names, (duckdb_type(each.type) for each in entry.columns), strict=True))
    with connected(temporary) as connection:
        interruptible(connection, lambda: _copy(connection, zipped, types, target))


def _copy(connection: duckdb.DuckDBPyConnection, zipped: Path, types: Mapping[str, str], target: Path) -> None:
    try:
        _copy_as_declared(connection, zipped, types, target)
        if not _has_infinity(connection, target, types):
            return
    except duckdb.ConversionException:
        pass  # a value that the type cannot hold, which is rare: each is looked at
    _copy_what_fits(connection, zipped, types, target)


def _copy_as_declared(
    connection: duckdb.DuckDBPyConnection, zipped: Path, types: Mapping[str, str], target: Path
) -> None:
    values = {name: _bytes(name) if kind == "BLOB" else identifier(name) for name, kind in types.items()}
    _write(connection, values, zipped, {n: TEXT if kind == "BLOB" else kind for n, kind in types.items()}, target)


def _copy_what_fits(
    connection: duckdb.DuckDBPyConnection, zipped: Path, types: Mapping[str, str], target: Path
) -> None:
    """Write the rows with NULL for what its type cannot hold, and how many values these are per column."""
    values = {name: _fitted(name, kind) for name, kind in types.items()}
    texts = dict.fromkeys(types, TEXT)
    counts = ", ".join(f"count({identifier(name)}) - count({value})" for name, value in values.items())
    found = _read(connection, f"SELECT {counts} FROM ", zipped, texts).fetchone() or ()
    lost = {name: number for name, number in zip(types, found, strict=True) if number}
    _write(connection, values, zipped, texts, target, lost)


def _fitted(name: str, kind: str) -> str:
    if kind in (TEXT, "BLOB"):
        return identifier(name) if kind == TEXT else _bytes(name)
    # Not TRY_CAST: DuckDB 2.0 moves it into the reader of CSV, where a value that does not fit is an error.
    value = f"TRY(CAST({identifier(name)} AS {kind}))"
    return f"CASE WHEN isfinite({value}) THEN {value} END" if _is_moment(kind) else value


def _bytes(name: str) -> str:
    return f"unhex(substr({identifier(name)}, 3))"  # behind its \\x


def _has_infinity(connection: duckdb.DuckDBPyConnection, path: Path, types: Mapping[str, str]) -> bool:
    infinite = [f"NOT isfinite({identifier(name)})" for name, kind in types.items() if _is_moment(kind)]
    select = f"SELECT count(*) FROM read_parquet(?) WHERE {' OR '.join(infinite) or 'false'}"
    found = connection.execute(select, [str(path)]).fetchone()
    return bool(found and found[0])


def _is_moment(kind: str) -> bool:
    return kind in ("DATE", "TIMESTAMP", "TIMESTAMPTZ")


def _write(
    connection: duckdb.DuckDBPyConnection,
    values: Mapping[str, str],
    zipped: Path,
    types: Mapping[str, str],
    target: Path,
    lost: Mapping[str, int] | None = None,
) -> None:
    select = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
    told = f", KV_METADATA {{{_LOST}: {literal(json.dumps(lost))}}}" if lost else ""
    into = f"{literal(str(target))} (FORMAT parquet, COMPRESSION zstd{told})"
    _read(connection, f"COPY (SELECT {select} FROM ", zipped, types, f") TO {into}")


def _read(
    connection: duckdb.DuckDBPyConnection, before: str, zipped: Path, types: Mapping[str, str], after: str = ""
) -> duckdb.DuckDBPyConnection:
    """Run the statement that has the file between its two parts, with the longest lines that it needs."""
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    for longest in _LONGEST_LINES:
        options = f"columns = {{{columns}}}, {_CSV}, max_line_size = {longest}, buffer_size = {longest}"
        try:
            return connection.execute(f"{before}read_csv({literal(str(zipped))}, {options}){after}")
        except duckdb.InvalidInputException as error:
            if longest == _LONGEST_LINES[-1] or "line size" not in str(error).lower():
                raise
    raise AssertionError("the last length raises or returns")
