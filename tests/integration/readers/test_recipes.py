"""Every recipe of docs/read.md gives back what is in the database, but for what the page says it does not."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import psycopg
import pytest
from metadata_export.compress import compressed, padded
from metadata_export.parts import MINIMUM_PART_BYTES
from psycopg import sql

from tests.integration.readers.conftest import OUT_OF_RANGE, Exported, File
from tests.integration.readers.database_values import CONVERTED
from tests.integration.readers.recipes import functions, recipes

Rows = list[tuple[Any, ...]]
TABLES = ("hostile", "lone", "nothing", "large", "plain", "many")
BLOCKS = 200  # so often the hostile rows, one after the other: readers cut a file into blocks
PYTHONS = ("3.13", "3.14")


def same(found: Sequence[Sequence[Any]], expected: Sequence[Sequence[Any]]) -> bool:
    """Tell whether rows are equal in value and type, whatever their order; -0 is not 0, and NaN is NaN."""
    return sorted(map(comparable, found)) == sorted(map(comparable, expected))


def comparable(row: Sequence[Any]) -> str:
    """Return a row as text that tells values apart which Python calls equal."""
    return repr([value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in row])


def with_duckdb(file: File, **options: int) -> Rows:
    return list(functions("DuckDB")["read_with_duckdb"](file.path, file.types, **options).fetchall())


def with_pyarrow(file: File, **options: int) -> Rows:
    table = functions("pyarrow")["read_with_pyarrow"](file.path, file.types, **options)
    assert table.column_names == list(file.types)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def with_pandas(file: File) -> Rows:
    frame = functions("pyarrow", "pandas")["read_with_pandas"](file.path, file.types)
    assert list(frame.columns) == list(file.types)
    columns = [[None if value is pd.NA else value for value in frame[name]] for name in frame]
    return list(zip(*columns, strict=True))


def with_polars(file: File) -> Rows:
    frame = functions("polars")["read_with_polars"](file.path, file.types)
    assert frame.columns == list(file.types)
    return list(frame.rows())


READERS = {"DuckDB": with_duckdb, "pyarrow": with_pyarrow, "pandas": with_pandas, "polars": with_polars}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def relaid(file: File, folder: Path, layout: str) -> File:
    """Return the same file, made of other gzip members."""
    header, _, body = gzip.decompress(file.path.read_bytes()).partition(b"\n")
    header += b"\n"
    whole = header + body
    members = {
        "one member": compressed(whole),
        "many members": b"".join(compressed(whole[at : at + 100]) for at in range(0, len(whole), 100)),
        "padding between": padded(compressed(header), MINIMUM_PART_BYTES) + compressed(body),
        "padding at the end": padded(compressed(whole), MINIMUM_PART_BYTES),
    }
    path = folder / f"{layout}.csv.gz"
    path.write_bytes(members[layout])
    return File(file.table, path, file.types)


LAYOUTS = ("one member", "many members", "padding between", "padding at the end")


def test_the_hostile_rows_hold_what_readers_stumble_over(exported: Exported) -> None:
    types = set(exported.files["hostile"].types.values())
    values = {value for row in exported.texts("hostile") for value in row}
    assert set(CONVERTED) < types
    assert {None, "", "007", '""', "\r\n", "\\N", "NULL", "NaN", "\\x00ff5c2e0a2c2227"} <= values
    assert max(len(row[1] or "") for row in exported.texts("large")) > 3_000_000


def test_the_file_says_what_is_null_and_what_is_empty(exported: Exported) -> None:
    assert gzip.decompress(exported.files["lone"].path.read_bytes()) == b'value\n\n""\nx\n\n"two\nlines"\n\n'
    plain = gzip.decompress(exported.files["plain"].path.read_bytes()).splitlines()
    assert plain[:3] == [
        b"dag_id,note,moment",
        b"007,,2026-03-29 00:30:00.000001+00",
        b'010,"",2026-03-29 00:30:00.000001+00',
    ]


def test_every_recipe_of_the_page_is_tested() -> None:
    tested = {"What the files are", "PostgreSQL", "Spark", "Python's csv", "Parquet", "Athena", "Only unpack them"}
    assert set(recipes()) == tested | set(READERS)


@readers
@pytest.mark.parametrize("table", TABLES)
def test_every_value_is_read_as_it_is_in_the_database(
    read: Callable[[File], Rows], table: str, exported: Exported
) -> None:
    assert same(read(exported.files[table]), exported.rows(table))


@readers
@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_the_gzip_members(
    read: Callable[[File], Rows], layout: str, exported: Exported, tmp_path: Path
) -> None:
    assert same(read(relaid(exported.files["hostile"], tmp_path, layout)), exported.rows("hostile"))


@readers
@pytest.mark.parametrize("table", OUT_OF_RANGE)
def test_any_moment_is_read_as_text(read: Callable[[File], Rows], table: str, exported: Exported) -> None:
    file = exported.files[table]
    as_text = File(table, file.path, file.types | {"moment": "text"})
    assert same(read(as_text), exported.texts(table))


@pytest.mark.parametrize("read", [with_pyarrow, with_pandas, with_polars], ids=["pyarrow", "pandas", "polars"])
@pytest.mark.parametrize("table", OUT_OF_RANGE)
def test_a_moment_that_is_out_of_range_is_an_error(
    read: Callable[[File], Rows], table: str, exported: Exported
) -> None:
    with pytest.raises(Exception, match=re.escape(OUT_OF_RANGE[table][0])):
        read(exported.files[table])


@pytest.mark.parametrize("table", OUT_OF_RANGE)
def test_duckdb_reads_moments_from_christ_to_the_end_of_its_range(table: str, exported: Exported) -> None:
    file = exported.files[table]
    relation = functions("DuckDB")["read_with_duckdb"](file.path, file.types)
    duckdb.sql("SET TimeZone = 'UTC'")
    if table in ("latest", "ancient"):
        with pytest.raises(duckdb.ConversionException, match=re.escape(OUT_OF_RANGE[table][0])):
            relation.fetchall()
    else:
        moments = relation.materialize()  # or it would take the file's text for the moment's
        assert same(moments.project("moment::VARCHAR").fetchall(), exported.texts(table))


@pytest.mark.parametrize(
    ("read", "options"),
    [(with_duckdb, {"longest_line": 32_768}), (with_pyarrow, {"longest_line": 32_768}), (with_polars, {})],
    ids=["DuckDB", "pyarrow", "polars"],
)
def test_wherever_a_block_ends(
    read: Callable[..., Rows], options: dict[str, int], exported: Exported, tmp_path: Path
) -> None:
    file = exported.files["hostile"]
    header, _, body = gzip.decompress(file.path.read_bytes()).partition(b"\n")
    path = tmp_path / "long.csv.gz"
    path.write_bytes(compressed(header + b"\n" + body * BLOCKS))
    assert same(read(File("long", path, file.types), **options), exported.rows("hostile") * BLOCKS)


@pytest.mark.parametrize("reader", ["DuckDB", "pyarrow"])
def test_a_line_over_the_bound_is_an_error(reader: str, exported: Exported) -> None:
    file = exported.files["large"]
    read = functions(reader)[f"read_with_{reader.lower()}"]
    with pytest.raises(Exception, match=r"(?i)maximum line size|straddling"):
        read(file.path, file.types, longest_line=1024 * 1024).fetchall()


@pytest.mark.parametrize("table", TABLES)
def test_parquet_holds_every_value_as_it_is_in_the_database(table: str, exported: Exported, tmp_path: Path) -> None:
    file = exported.files[table]
    functions("pyarrow", "Parquet")["write_parquet"](file.path, file.types, tmp_path / "table.parquet")
    assert same(pl.read_parquet(tmp_path / "table.parquet").rows(), exported.rows(table))


@pytest.mark.parametrize("table", [*TABLES, *OUT_OF_RANGE])
def test_postgresql_loads_every_value_as_it_was(table: str, exported: Exported) -> None:
    file = exported.files[table]
    with exported.database.connect() as connection:
        functions("What the files are", "PostgreSQL")["load_into_postgresql"](
            connection, f"{table} copy", file.path, file.types
        )
        assert differing_rows(connection, table, f"{table} copy") == 0


def differing_rows(connection: psycopg.Connection[Any], left: str, right: str) -> int:
    query = "SELECT count(*) FROM ((TABLE {0} EXCEPT ALL TABLE {1}) UNION ALL (TABLE {1} EXCEPT ALL TABLE {0})) d"
    texts = [sql.SQL("(SELECT t::text FROM {} t)").format(sql.Identifier(table)) for table in (left, right)]
    text = sql.SQL(query.replace("TABLE", "SELECT * FROM").replace("{0}", "{0} l").replace("{1}", "{1} r"))
    return int(connection.execute(text.format(*texts)).fetchone()[0])  # type: ignore[index]


@pytest.mark.parametrize("table", TABLES)
def test_csv_of_this_python(table: str, exported: Exported) -> None:
    file = exported.files[table]
    header, *rows = map(tuple, functions("What the files are", "Python's csv")["read_with_csv"](file.path))
    assert header == tuple(file.types)
    null = None if sys.version_info >= (3, 13) or table == "lone" else ""
    assert rows == [tuple(null if value is None else value for value in row) for row in exported.texts(table)]


CSV_READER = "import json; print(json.dumps([*map(list, read_with_csv({path!r}))]))"


@pytest.mark.parametrize("table", ["hostile", "lone"])
def test_csv_of_python_3_13(table: str, exported: Exported) -> None:
    version = newer_python()
    file = exported.files[table]
    code = "".join(recipes()[heading][1] for heading in ("What the files are", "Python's csv"))
    command = [f"python{version}", "-c", code + CSV_READER.format(path=str(file.path))]
    done = run(command, PYENV_VERSION=version)
    assert [tuple(row) for row in json.loads(done)] == [tuple(file.types), *exported.texts(table)]


def newer_python() -> str:
    """Return the version of a Python of 3.13 or newer that runs here; pyenv's do when it is told which."""
    for version in PYTHONS:
        if shutil.which(f"python{version}"):
            environment = os.environ | {"PYENV_VERSION": version}
            ran = subprocess.run([f"python{version}", "-V"], env=environment, capture_output=True, check=False)
            if ran.returncode == 0:
                return version
    pytest.skip(f"this machine has no Python {' or '.join(PYTHONS)}")


def run(command: Sequence[str], **variables: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True, env=os.environ | variables).stdout


def test_what_is_unpacked_on_the_command_line_is_whole(exported: Exported, tmp_path: Path) -> None:
    file = relaid(exported.files["hostile"], tmp_path, "many members").path
    commands = recipes()["Only unpack them"][1].replace("dag_run_143022.csv.gz", f"'{file}'")
    gunzip, perl = commands.splitlines()
    whole = gzip.decompress(file.read_bytes())
    assert run(["sh", "-c", gunzip]) == whole
    if shutil.which("perl") is None:
        pytest.skip("no perl on this machine")
    assert run(["sh", "-c", perl]) == whole
    first = run(["sh", "-c", perl.replace(", MultiStream => 1", "")])
    assert whole.startswith(first)
    assert len(first) < len(whole)
