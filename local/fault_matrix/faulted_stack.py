"""The stack that is faulted: the pipeline, a small metadata database, and a proxy on the way to it."""

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from local import pipeline, postgres, processes
from local.aws import server as aws_server
from local.aws.injection.client import Faults
from local.aws.server import EmulatedAws
from local.console import Progress
from local.fault_matrix import data
from local.fault_matrix.proxy import Proxy
from local.paths import StackPaths
from local.pipeline import Pipeline

AIRFLOW_VERSION = "3.3.1"
# Retries wait a fiftieth of the time; a time-out is a quarter of it, which leaves every state twice what it takes.
# What the stack's own parameters ask for: few tables, so that an export of a scenario can be a full one.
OWN_TABLES = (data.BIG_TABLE, "job")
OWN = {"IncludeTables": ",".join(OWN_TABLES), "MaxAgeInDays": "null", "AllowRestore": "true"}
SCALES = {"wait_scale": 0.02, "timeout_scale": 0.25}


@dataclass(frozen=True)
class FaultedStack:
    """What every scenario uses, one after the other."""

    pipeline: Pipeline
    proxy: Proxy
    faults: Faults


Prepare = Callable[[EmulatedAws], Mapping[str, str]]


def _nothing(_: EmulatedAws) -> Mapping[str, str]:
    return {}


@contextlib.contextmanager
def running(stack_paths: StackPaths, progress: Progress, prepare: Prepare = _nothing) -> Iterator[FaultedStack]:
    """Start the stack over fresh folders, hand it out, and stop everything again, whatever happens.

    Args:
        stack_paths: its folders.
        progress: told of every step.
        prepare: makes what the account has before the deployment, and returns parameters that name it.
    """
    with _alone(stack_paths, progress):
        yield from _run(stack_paths, progress, prepare)


@contextlib.contextmanager
def _alone(stack_paths: StackPaths, progress: Progress) -> Iterator[None]:
    """Wait for another process that uses the same folders."""
    with (stack_paths.root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note(f"another process uses {stack_paths.root}: waiting until it has ended")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(stack_paths: StackPaths, progress: Progress, prepare: Prepare) -> Iterator[FaultedStack]:
    postgres.stop(stack_paths.postgres)  # what a killed process left
    for folder in (stack_paths.postgres, stack_paths.aws, stack_paths.logs):
        shutil.rmtree(folder, ignore_errors=True)
    stack_paths.logs.mkdir(parents=True)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(processes.stop_all)
        settings = pipeline.prepare_runtimes(stack_paths, progress, **SCALES)
        cleanup.callback(postgres.stop, stack_paths.postgres)
        database = pipeline.start_database(stack_paths, progress)
        with progress.step("Real schema and rows"):
            data.create_template(database, AIRFLOW_VERSION)
        with progress.step("Emulated AWS"):
            aws = cleanup.enter_context(aws_server.start(settings))
        made = pipeline.deploy(stack_paths, database, aws, AIRFLOW_VERSION, progress, **OWN, **prepare(aws))
        proxy = Proxy(database.port)
        cleanup.callback(proxy.stop)
        yield FaultedStack(made, proxy, Faults(aws.endpoint, spares_owner=True))
