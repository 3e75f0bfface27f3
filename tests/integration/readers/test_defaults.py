"""With their default options the readers do what docs/read.md says, which is why it has recipes."""

import csv
import gzip
import io

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv

from tests.integration.readers.conftest import Exported


def test_pandas(exported: Exported) -> None:
    frame = pd.read_csv(exported.files["plain"].path)
    assert frame["dag_id"].tolist() == [7, 10, 11]
    assert frame["note"].isna().tolist() == [True, True, False]
    assert isinstance(frame["moment"][0], str)
    hostile = pd.read_csv(exported.files["hostile"].path)
    assert {"NA", "null", "NULL"} <= {value for row in exported.texts("hostile") for value in row}
    assert not hostile.isin(["NA", "null", "NULL"]).any().any()
    assert len(pd.read_csv(exported.files["lone"].path)) == len(exported.texts("lone")) - 3


def test_duckdb(exported: Exported) -> None:
    plain, many, large = (str(exported.files[table].path) for table in ("plain", "many", "large"))
    assert duckdb.read_csv(plain).project("note").fetchall()[:2] == [(None,), (None,)]
    assert duckdb.read_csv(plain).project("dag_id").fetchall()[0] == ("007",)
    assert duckdb.read_csv(many).fetchall()[-1] == (7,)
    with pytest.raises(duckdb.InvalidInputException, match=r"(?i)maximum line size"):
        duckdb.read_csv(large).fetchall()


def test_polars(exported: Exported) -> None:
    frame = pl.read_csv(exported.files["plain"].path)
    assert frame["dag_id"].to_list() == [7, 10, 11]
    assert frame["note"].to_list()[:2] == [None, ""]
    assert frame["moment"].dtype == pl.String


def test_pyarrow(exported: Exported) -> None:
    table = arrow_csv.read_csv(exported.files["plain"].path)
    assert table["dag_id"].to_pylist() == [7, 10, 11]
    assert table["note"].to_pylist()[:2] == ["", ""]
    with pytest.raises(pa.ArrowInvalid, match="straddling"):
        arrow_csv.read_csv(exported.files["large"].path)


def test_csv(exported: Exported) -> None:
    plain, large = (gzip.decompress(exported.files[table].path.read_bytes()).decode() for table in ("plain", "large"))
    assert [row[1] for row in csv.reader(io.StringIO(plain, newline=""))][:3] == ["note", "", ""]
    before = csv.field_size_limit(131_072)  # the default, which the recipe raises for the whole process
    try:
        with pytest.raises(csv.Error, match="131072"):
            list(csv.reader(io.StringIO(large, newline="")))
    finally:
        csv.field_size_limit(before)
