"""Only Spark's start: how long a process takes until Spark runs Python in every slot."""

from pyspark import SparkContext

from local.bench.baselines.task import answer, from_environment, seconds_since_start


def main() -> None:
    """Start Spark and answer with the seconds since this process began."""
    context = SparkContext.getOrCreate()
    slots = context.defaultParallelism
    context.parallelize(range(slots), slots).foreach(abs)
    answer(from_environment(), start_seconds=seconds_since_start())
    context.stop()


if __name__ == "__main__":
    main()
