"""Run in a process of its own: Spark, the recipe for it, and what else needs Java.

Reads a pickled list of tasks (name, arguments) from the file that is named first, and writes a pickled list of what
came of them into the second.
"""

import pickle
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType

from tests.integration.readers.recipes import functions


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    """Return a frame's rows; Spark gives timestamps in the zone of the process, which is UTC, and does not say so."""
    return [
        tuple(value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row)
        for row in frame.collect()
    ]


def recipe(spark: SparkSession, path: str, types: dict[str, str]) -> list[tuple[Any, ...]] | str:
    """Read by the recipe; return the rows, or the error."""
    try:
        return rows(functions("Spark")["read_with_spark"](spark, path, types))
    except (PySparkException, Py4JJavaError, ValueError) as error:  # the last: what Python has no datetime for
        return str(error)


def defaults(spark: SparkSession, path: str) -> list[tuple[Any, ...]]:
    """Read without options but the header."""
    return rows(spark.read.csv(path, header=True))


def parquet(spark: SparkSession, path: str) -> list[tuple[Any, ...]]:
    """Read a Parquet file."""
    return rows(spark.read.parquet(path))


def parquet_table(spark: SparkSession, folder: str, export_id: str, types: dict[str, str]) -> list[tuple[Any, ...]]:
    """Read the Parquet files of a table as the catalog declares them, with a partition for each export."""
    spark.conf.set("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED")
    columns = ", ".join(f"`{name.replace('`', '``')}` {kind}" for name, kind in types.items())
    spark.sql(
        f"CREATE TABLE declared ({columns}, export_id string) USING parquet PARTITIONED BY (export_id) "
        f"LOCATION '{folder}'"
    )
    spark.sql(f"ALTER TABLE declared ADD PARTITION (export_id = '{export_id}')")
    found = spark.table("declared")
    assert {row["export_id"] for row in found.select("export_id").collect()} <= {export_id}
    read = [
        tuple(bytes(value) if isinstance(value, bytearray) else value for value in row)
        for row in rows(found.drop("export_id"))
    ]
    spark.sql("DROP TABLE declared")
    return read


def serde(spark: SparkSession, path: str, columns: int, properties: dict[str, str]) -> list[tuple[str | None, ...]]:
    """Read as Hive does: lines by Hadoop's TextInputFormat, each parsed by the SerDe, the first one skipped.

    Args:
        properties: name -> value as it stands in the statement, which Hive unescapes.
    """
    jvm = spark._jvm
    unescape = jvm.org.apache.hadoop.hive.ql.parse.BaseSemanticAnalyzer.unescapeSQLString
    table = jvm.java.util.Properties()
    table.setProperty("columns", ",".join(f"c{number}" for number in range(columns)))
    table.setProperty("columns.types", ":".join(["string"] * columns))
    for name, value in properties.items():
        table.setProperty(name, unescape(f'"{value}"'))
    parser = jvm.org.apache.hadoop.hive.serde2.OpenCSVSerde()
    parser.initialize(spark._jsc.hadoopConfiguration(), table)
    lines = spark.sparkContext.textFile(path).collect()[1:]
    return [tuple(parser.deserialize(jvm.org.apache.hadoop.io.Text(line))) for line in lines]


def unpacked(spark: SparkSession, path: str) -> bytes:
    """Unpack a file with Java's GZIPInputStream."""
    io = spark._jvm.java.io
    return bytes(spark._jvm.java.util.zip.GZIPInputStream(io.FileInputStream(path)).readAllBytes())


def ask(spark: SparkSession, folder: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement in Athena's dialect over the tables of a folder."""
    for table in Path(folder).iterdir():
        spark.read.parquet(str(table)).createOrReplaceTempView(table.name)
    spark.conf.set("spark.sql.session.timeZone", "UTC")  # Athena takes timestamps of Parquet as they are
    # The one function of the questions that Spark lacks.
    spark.udf.register("to_unixtime", lambda moment: moment and moment.timestamp(), DoubleType())
    return rows(spark.sql(statement))


DONE_BY: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (recipe, defaults, parquet, parquet_table, serde, unpacked, ask)
}  # fmt: skip


def main(tasks: Path, results: Path) -> None:
    """Do the tasks."""
    spark = SparkSession.builder.config("spark.sql.shuffle.partitions", 1).getOrCreate()
    done = [DONE_BY[name](spark, *arguments) for name, arguments in pickle.loads(tasks.read_bytes())]  # noqa: S301 - ours
    results.write_bytes(pickle.dumps(done))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
