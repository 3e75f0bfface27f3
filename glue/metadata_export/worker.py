"""What runs in a worker process: tasks from the driver, one after the other, on a connection that it keeps."""

import multiprocessing
import os
import signal
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait

from metadata_export.errors import ExportError, WorkerError, describe
from metadata_export.holder import HEARTBEAT_SECONDS
from metadata_export.kept_connection import KeptConnection
from metadata_export.task import Failure, Result, Session, Task, run_task


@dataclass(frozen=True)
class Answer:
    """What a task came to in a worker."""

    outcome: Result | ExportError
    """an error where another attempt may help"""
    lost: str | None
    """why the worker has no connection for tasks any more"""


def serve(driver: "Pipe[Answer, tuple[Task, int] | None]", session: Session) -> None:
    """Run tasks until None comes instead of one, or the driver is gone.

    Args:
        driver: sends a task and its attempt, and gets an Answer.
        session: of all tasks.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too, but it is the driver that ends it
    threading.Thread(target=_end_with_the_driver, name="end-with-the-driver", daemon=True).start()
    kept = KeptConnection()
    try:
        while True:
            while not driver.poll(HEARTBEAT_SECONDS):
                kept.keep_alive(session)
            work = driver.recv()
            if work is None:
                return
            driver.send(_answer(kept, session, *work))
    finally:
        kept.release()


def _answer(kept: KeptConnection, session: Session, task: Task, attempt: int) -> Answer:
    outcome = _outcome(kept, session, task, attempt)
    if isinstance(outcome, Failure) and kept.lost:  # a process that still has its connection may do better
        outcome = WorkerError(outcome.message)
    return Answer(outcome, kept.lost)


def _outcome(kept: KeptConnection, session: Session, task: Task, attempt: int) -> Result | ExportError:
    try:
        return run_task(session, task, attempt, kept.opened)
    except ExportError as error:
        return error
    except Exception as error:
        traceback.print_exc()
        return Failure(f"unexpected {describe(error)}", ends_run=True)


def _end_with_the_driver() -> None:
    """Upload nothing for a driver that was killed: its successor would not know of it."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os._exit(1)
