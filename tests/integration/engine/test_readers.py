"""What people read the files with sees the same rows and columns, also in the rarest layout of parts."""

import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from metadata_export.compress import compressed, padded
from metadata_export.parts import MINIMUM_PART_BYTES

from local.aws import runtimes
from local.aws.glue import spark
from local.aws.settings import Settings
from local.paths import GLUE_RUNTIME

Rows = list[tuple[str | None, ...]]

TEXTS = (
    "plain",
    'quote " and comma,',
    "line\nbreak",
    "CR\rLF\r\n",
    "tab\t",
    "\\.",
    "\\N",
    "NULL",
    "é 👩‍👩‍👧 \u2028",
    " space ",
)
HEADER = 'id,"group"\n'.replace('"', "")
BODY = "".join(f'{number},"{text.replace(chr(34), chr(34) * 2)}"\n' for number, text in enumerate(TEXTS))
EXPECTED: Rows = [(str(number), text) for number, text in enumerate(TEXTS)]

LAYOUTS = {
    "one member": compressed((HEADER + BODY).encode()),
    "many members": b"".join(compressed(line.encode()) for line in (HEADER + BODY).splitlines(keepends=True)),
    "padding between": padded(compressed(HEADER.encode()), MINIMUM_PART_BYTES) + compressed(BODY.encode()),
    "padding at the end": padded(compressed((HEADER + BODY).encode()), MINIMUM_PART_BYTES),
}  # fmt: skip


def with_csv(path: Path) -> Rows:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [tuple(row) for row in list(csv.reader(file))[1:]]


def with_pandas(path: Path) -> Rows:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(frame.columns) == ["id", "group"]
    return list(frame.itertuples(index=False, name=None))


def with_duckdb(path: Path) -> Rows:
    query = (
        "SELECT * FROM read_csv(?, header=true, all_varchar=true, quote='\"', escape='\"', delim=',', new_line='\\n')"
    )
    with duckdb.connect() as connection:
        return connection.execute(query, [str(path)]).fetchall()


def with_gunzip(path: Path) -> Rows:
    text = subprocess.run(["gzip", "-dc", str(path)], check=True, capture_output=True).stdout.decode()
    return [tuple(row) for row in list(csv.reader(io.StringIO(text, newline="")))[1:]]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "read", [with_csv, with_pandas, with_duckdb, with_gunzip], ids=["csv", "pandas", "duckdb", "gzip"]
)
def test_readers_see_the_same_rows_whatever_the_members(
    read: Callable[[Path], Rows], layout: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(LAYOUTS[layout])
    assert read(path) == EXPECTED


SPARK_READER = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
answer, *paths = sys.argv[1:]
found = []
for path in paths:
    frame = spark.read.csv(path, header=True, multiLine=True, quote='"', escape='"', lineSep="\\n")
    found.append([tuple(row) for row in frame.collect()])
with open(answer, "w") as file:
    file.write(repr(found))
"""


def test_spark_sees_the_same_rows_whatever_the_members(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.csv.gz" for number in range(len(LAYOUTS))]
    for path, body in zip(paths, LAYOUTS.values(), strict=True):
        path.write_bytes(body)
    settings = Settings(home=tmp_path, **runtimes.ensure_spark(GLUE_RUNTIME))
    environment = os.environ | spark.environment(replace(settings, glue_python=Path(sys.executable)), tmp_path)
    answer = tmp_path / "rows"  # Java writes to standard output too
    command = [sys.executable, "-c", SPARK_READER, *map(str, (answer, *paths))]
    subprocess.run(command, env=environment, timeout=300, check=True)
    assert answer.read_text() == repr([EXPECTED] * len(LAYOUTS))
