"""Spark's own way to one CSV file a table: its JDBC reader and its CSV writer, in one partition, to the local disk."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import hex as to_hex

from local.bench.baselines.task import answer, from_environment

FETCH_ROWS = "10000"  # without it the driver of PostgreSQL holds a whole table in memory


def main() -> None:
    """Export the task's tables one after the other."""
    task = from_environment()
    spark = SparkSession.builder.appName("spark-csv").getOrCreate()
    for table in task.tables:
        frame = spark.read.format("jdbc").options(**task.jdbc_options, dbtable=table, fetchsize=FETCH_ROWS).load()
        _without_binary(frame).coalesce(1).write.csv(
            f"{task.output}/{table}", header=True, compression="gzip", escape='"'
        )
    answer(task, output_bytes=sum(file.stat().st_size for file in Path(task.output).rglob("part-*.csv.gz")))
    spark.stop()


def _without_binary(frame: DataFrame) -> DataFrame:
    """Spark's CSV writer refuses binary columns, such as `task_instance.executor_config`: write them as hex digits."""
    binary = [name for name, kind in frame.dtypes if kind == "binary"]
    return frame.withColumns({name: to_hex(name) for name in binary})


if __name__ == "__main__":
    main()
