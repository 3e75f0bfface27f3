"""From the job's arguments to one call of the export."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from pyspark import SparkContext

from metadata_export import log
from metadata_export.arguments import Arguments, parse_arguments
from metadata_export.aws import glue_client, s3_client, secretsmanager_client
from metadata_export.errors import ExportError, describe
from metadata_export.export import StartTasks, export_group, shared_snapshot
from metadata_export.export_lock import hold_lock
from metadata_export.processes import ProcessRunner, process_runner
from metadata_export.secret import read_credentials
from metadata_export.siblings import ended_groups, wait_for_earlier_run
from metadata_export.source import Source
from metadata_export.spark import ATTEMPTS, SparkRunner, prepare_workers, start_spark
from metadata_export.storage import Store
from metadata_export.task import Session


def main(argv: Sequence[str]) -> None:
    """Export one group.

    Args:
        argv: the job's arguments, without the program's name.

    Raises:
        ExportError: its one line is what Glue shows as the run's ErrorMessage.
    """
    try:
        _export(parse_arguments(argv))
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"unexpected {describe(error)}") from error


def _export(arguments: Arguments) -> None:
    log.configure({"export_id": arguments.export_id, "group": arguments.group, "job_run_id": arguments.job_run_id})
    log.info(f"exporting the group {arguments.group} of {arguments.database_name}", tables=sorted(arguments.tables))
    name = f"metadata_export {arguments.export_id} {arguments.group}"
    region = arguments.region
    with ThreadPoolExecutor(1, thread_name_prefix="spark") as thread:
        # Spark takes seconds to start, most of them in another process: meanwhile this one reads secret and catalog.
        starting = thread.submit(start_spark, name)
        store, glue = Store(s3_client(region), arguments.bucket), glue_client(region)
        with shared_snapshot(arguments, store).announcing_failure():
            hold_lock(arguments, store, glue)
            wait_for_earlier_run(glue, arguments.job_name, arguments.group_run)
            credentials = read_credentials(glue, secretsmanager_client(region), arguments.connection_name)
        if credentials.expires_at is None:
            preparing = thread.submit(_prepared, starting, arguments)
            start_tasks: StartTasks = partial(_tasks_in_spark, preparing)
        else:
            start_tasks = partial(_tasks_in_processes, starting, arguments.parallelism)
        source = Source(credentials, arguments.statement_timeout_seconds, name)
        ended = partial(ended_groups, glue, arguments.job_name, arguments.export_id)
        export_group(arguments, source, store, ATTEMPTS, start_tasks, ended)


def _prepared(starting: "Future[SparkContext]", arguments: Arguments) -> SparkContext:
    context = starting.result()
    prepare_workers(context, arguments.parallelism, arguments.region, parquet=arguments.writes_parquet)
    return context


@contextmanager
def _tasks_in_spark(preparing: "Future[SparkContext]", session: Session) -> Iterator[SparkRunner]:
    context = preparing.result()
    log.info("Spark is ready", master=context.master)
    try:
        yield SparkRunner(context, session)
    except BaseException:
        context.stop()  # this ends the tasks that are under way, before their uploads are aborted
        raise


@contextmanager
def _tasks_in_processes(starting: "Future[SparkContext]", processes: int, session: Session) -> Iterator[ProcessRunner]:
    """Run the tasks outside Spark, because Spark decides by itself which of its workers runs what."""
    log.info(f"the credentials expire: up to {processes} processes of this machine open a connection each and keep it")
    with process_runner(session, processes) as runner:
        yield runner
    if error := starting.exception():
        log.warning(f"Spark did not start, which this run did not need: {describe(error)}")
