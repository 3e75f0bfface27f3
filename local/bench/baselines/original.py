"""The way of the solution that this project supersedes: each table through Spark's JDBC reader into one DataFrame.

Re-created from its description: read, filter by date, sort, count, `toPandas`, `to_csv`, gzip, one `put_object`.
"""

import gzip

import boto3
from pyspark.sql import SparkSession
from pyspark.sql.functions import col

from local.bench.baselines.task import DATES, Task, answer, from_environment, seconds_since_start


def main() -> None:
    """Export the task's tables one after the other."""
    task = from_environment()
    spark = SparkSession.builder.appName("original").getOrCreate()
    start = seconds_since_start()
    exported = [_export(spark, boto3.client("s3"), task, table) for table in task.tables]
    rows, output_bytes = (sum(numbers) for numbers in zip(*exported, strict=True))
    answer(task, rows=rows, output_bytes=output_bytes, start_seconds=start)
    spark.stop()


def _export(spark: SparkSession, s3: object, task: Task, table: str) -> tuple[int, int]:
    """Export a table and return its rows and the size of its object."""
    frame = spark.read.format("jdbc").options(**task.jdbc_options, dbtable=table).load()
    frame = frame.filter(col(DATES[table]) >= task.cutoff).orderBy(DATES[table])
    rows = frame.count()
    text = frame.toPandas().to_csv(index=False)
    body = gzip.compress(text.encode("utf-8"))
    s3.put_object(Bucket=task.bucket, Key=f"original/{table}.csv.gz", Body=body)  # type: ignore[attr-defined]
    return rows, len(body)


if __name__ == "__main__":
    main()
