"""Spark as a pool of processes: no DataFrame, one task per piece of work, started from threads of the driver."""

import gc
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from zipimport import zipimporter

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkConf, SparkContext, TaskContext

from metadata_export.aws import s3_client
from metadata_export.errors import ExportError, TableError
from metadata_export.log import warning
from metadata_export.parquet_sink import load_pyarrow
from metadata_export.task import Failure, Result, Session, Task, run_task

ATTEMPTS = 4
CANCEL_SECONDS = 30


def start_spark(app_name: str) -> SparkContext:
    """Start Spark as the environment configures it.

    After a success nobody needs to stop it: it ends with the process, which Glue waits for. `SparkContext.stop` would
    wait for up to a second more, for accumulators that nothing here uses.

    Raises:
        ExportError: it cannot start.
    """
    conf = SparkConf().setAppName(app_name).set("spark.task.maxFailures", str(ATTEMPTS))
    try:
        context = SparkContext(conf=conf)
    except Py4JError as error:
        raise ExportError(f"start Spark: {_last_python_error(str(error))}") from None
    context.setLogLevel("ERROR")
    return context


def prepare_workers(context: SparkContext, workers: int, region: str, *, parquet: bool) -> None:
    """Start Python workers at the same time, with what each of them needs before its first row.

    Args:
        workers: how many tasks will run at a time. Not more, however many slots there are; and not as few as Spark says
            there are (`defaultParallelism`), since on a cluster it says 2 until its executors have come.
        region: of the S3 client that each worker will need.
        parquet: whether they will write Parquet.

    Raises:
        ExportError: they cannot start, or lack this package.
    """
    with _described(context, f"start {workers} Python workers"):
        context.parallelize(range(workers), workers).foreach(partial(_prepare_worker, region, parquet))


def _prepare_worker(region: str, parquet: bool, _: int) -> None:
    if parquet:
        load_pyarrow()
    _prepared(region)
    _spare_the_next_task()


@lru_cache(maxsize=1)
def _prepared(region: str) -> None:
    """Load what this process needs before its first row, and keep the cycle collector from looking at it ever again.

    Spark's workers collect cycles after every task (pyspark/daemon.py): with the S3 client in memory that takes 50 ms.
    """
    s3_client(region)
    gc.freeze()


def _spare_the_next_task() -> None:
    """Forget which archives modules were looked for in; whoever looks again is told anew.

    Before each task Spark's workers invalidate these caches (pyspark/worker.py), for which Python before 3.13 reads the
    directory of pyspark.zip again: 65 ms.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[path]


@dataclass(frozen=True)
class SparkRunner:
    """Runs the tasks of a session in Spark, each as a job of one task: that bounds how many run at a time."""

    context: SparkContext
    session: Session

    def run(self, task: Task, description: str) -> Result:
        """Run one task, under a description that Spark's UI shows, and return its result.

        Raises:
            TableError: the task failed for good, in one line; also when its worker died every time.
            ExportError: so would every other task.
        """
        with _described(self.context, description, TableError):
            attempt = partial(_attempt, self.session)
            result: Result = self.context.parallelize([task], 1).map(attempt).collect()[0]
        if isinstance(result, Failure):
            raise result.error()
        return result

    def cancel(self) -> None:
        """End the tasks that are running, and wait until their machines say that they have ended.

        A job that is cancelled is over at once. Its tasks are not: Spark kills their Python workers seconds later, on
        machines that have not heard of it yet. Until then they upload what nobody would clean up.
        """
        self.context.cancelAllJobs()
        deadline = time.monotonic() + CANCEL_SECONDS
        while running := _running_tasks(self.context):
            if time.monotonic() > deadline:
                warning(f"{running} tasks have not ended {CANCEL_SECONDS} s after they were cancelled")
                return
            time.sleep(0.1)


@contextmanager
def _described(context: SparkContext, description: str, kind: type[ExportError] = ExportError) -> Iterator[None]:
    """Name the jobs of this thread in Spark's UI, and in the error when one fails."""
    context.setJobDescription(description)
    try:
        yield
    except Py4JError as error:
        raise kind(f"{description}: {_last_python_error(str(error))}") from None


def _running_tasks(context: SparkContext) -> int:
    """Return how many tasks the executors have not reported as ended; PySpark's own StatusTracker cannot tell."""
    return sum(executor.numRunningTasks() for executor in context._jsc.sc().statusTracker().getExecutorInfos())


def _attempt(session: Session, task: Task) -> Result:
    _prepared(session.region)
    running = TaskContext.get()
    try:
        return run_task(session, task, running.attemptNumber() if running else 0)
    finally:
        _spare_the_next_task()


def _last_python_error(text: str) -> str:
    """Return the line that matters of a Java exception: the end of a Python traceback in it, or why Spark gave up."""
    errors = re.findall(r"^[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*$", text, flags=re.MULTILINE)
    errors = errors or re.findall(r"most recent failure: (.+)$", text, flags=re.MULTILINE)  # a worker that died
    errors = errors or re.findall(r"^: (.+)$", text, flags=re.MULTILINE)  # Java's own, before any Python ran
    return errors[-1] if errors else text.strip().splitlines()[0]
