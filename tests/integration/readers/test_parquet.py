"""The Parquet files of an export hold what is in the database, by every reader; what no type holds is NULL, counted."""

from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from export_contracts.parquet import ParquetFiles
from pyarrow import parquet

from tests.integration.readers.conftest import OUT_OF_RANGE, Exported, File
from tests.integration.readers.test_recipes import TABLES, same

Rows = list[tuple[Any, ...]]
ALL = (*TABLES, *OUT_OF_RANGE)


def files_of(file: File) -> ParquetFiles:
    assert file.entry is not None
    assert file.entry.parquet is not None
    return file.entry.parquet


def of_table(table: pa.Table) -> Rows:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def with_pyarrow(file: File) -> Rows:
    return of_table(parquet.read_table(file.parquet, partitioning=None))


def with_duckdb(file: File) -> Rows:
    duckdb.sql("SET TimeZone = 'UTC'")
    return list(duckdb.read_parquet(f"{file.parquet}/*/*.parquet", hive_partitioning=False).fetchall())


def with_polars(file: File) -> Rows:
    return list(pl.read_parquet(f"{file.parquet}/*/*.parquet", hive_partitioning=False).rows())


def with_pandas(file: File) -> Rows:
    frame = pd.concat([pd.read_parquet(path, dtype_backend="pyarrow") for path in file.parquet.glob("*/*.parquet")])  # type: ignore[union-attr]
    return of_table(pa.Table.from_pandas(frame, preserve_index=False))


@pytest.mark.parametrize("read", [with_pyarrow, with_duckdb, with_polars, with_pandas], ids=lambda each: each.__name__)
@pytest.mark.parametrize("table", ALL)
def test_every_value_is_read_as_it_is_in_the_database(
    read: Callable[[File], Rows], table: str, exported: Exported
) -> None:
    assert same(read(exported.files[table]), exported.parquet_rows(table))


@pytest.mark.parametrize("table", ALL)
def test_rows_and_what_became_null_are_counted(table: str, exported: Exported) -> None:
    file = exported.files[table]
    found = files_of(file)
    assert found.rows == len(exported.texts(table))
    assert found.nulled == exported.nulled(table)
    assert [column.source for column in found.columns] == list(file.types)


def test_the_hostile_rows_hold_what_no_type_can(exported: Exported) -> None:
    lost = {exported.files["hostile"].types[name] for name in files_of(exported.files["hostile"]).nulled}
    assert lost == {"timestamp without time zone", "date"}
    assert all(files_of(exported.files[table]).nulled == {"moment": len(OUT_OF_RANGE[table])} for table in OUT_OF_RANGE)


def test_no_column_has_a_type_that_some_reader_refuses(exported: Exported) -> None:
    paths = [path for file in exported.files.values() for path in file.parquet.glob("*/*.parquet")]  # type: ignore[union-attr]
    kinds = {str(each.type) for path in paths for each in parquet.read_schema(path)}
    assert kinds <= {
        "int16", "int32", "int64", "float", "double", "bool", "timestamp[us, tz=UTC]", "timestamp[us]", "date32[day]",
        "binary", "string",
    }  # fmt: skip
