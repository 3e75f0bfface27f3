"""Runs tasks in processes of the driver's machine, for credentials that open connections for minutes only.

Which process gets the next task is decided here, and so is how many connections there are; why not by Spark, and why
not by a pool of the standard library, is in docs/decisions/0014-processes-for-tokens.md.
"""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from metadata_export.errors import CredentialsError, ExportError, WorkerError, describe
from metadata_export.task import Failure, Result, Session, Task
from metadata_export.worker import Answer, serve

SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that Spark's and botocore's threads hold
STOP_SECONDS = 60


class ProcessRunner:
    """Runs tasks in at most so many worker processes, each of which opens one connection and keeps it.

    A process begins when there is a task for it. One that dies or loses its connection is replaced while the
    credentials last; after that the others do its work.
    """

    def __init__(self, session: Session, processes: int) -> None:
        self._session = session
        self._most = processes
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._lost = ""
        self._cancelled = False
        self._changed = threading.Condition()

    def run(self, task: Task, description: str) -> Result:
        """Run one task and return its result.

        Raises:
            ExportError: the task failed for good, or no process has a connection any more.
        """
        error: ExportError = WorkerError(f"{description}: was not tried")
        for attempt in range(self._session.attempts):
            worker = self._take()
            answer = worker.ask(task, attempt, description)
            self._give_back(worker, answer.lost)
            if isinstance(answer.outcome, Failure):
                raise answer.outcome.error()
            if not isinstance(answer.outcome, ExportError):
                return answer.outcome
            error = answer.outcome
        raise error

    def cancel(self) -> None:
        """End all processes, and with them the tasks that are running."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()
            for worker in self._workers:
                worker.kill()

    def close(self) -> None:
        """Let all processes close their connections and end; no task is running any more."""
        with self._changed:
            for worker in self._workers:
                worker.stop()
            for worker in self._workers:
                worker.join()

    def _take(self) -> "_Worker":
        with self._changed:
            while True:
                if self._cancelled:
                    raise ExportError("cancelled, because another task failed")
                if self._idle:
                    return self._idle.pop()
                if len(self._workers) < self._most and self._can_connect():
                    worker = _Worker(self._session)
                    self._workers.add(worker)
                    return worker
                self._changed.wait()

    def _can_connect(self) -> bool:
        """Return whether a new process could open a connection; raise when there is none to wait for either."""
        try:
            self._session.source.credentials.check_fresh(datetime.now(UTC))
        except CredentialsError as error:
            if self._workers:
                return False
            why = f" - and no connection is left: {self._lost}" if self._lost else ""
            raise CredentialsError(f"{describe(error)}{why}") from error
        return True

    def _give_back(self, worker: "_Worker", lost: str | None) -> None:
        with self._changed:
            if lost is None:
                self._idle.append(worker)
            else:
                self._lost = lost
                self._workers.discard(worker)
                worker.kill()
            self._changed.notify_all()


@contextmanager
def process_runner(session: Session, processes: int) -> Iterator[ProcessRunner]:
    """Give a runner whose processes are gone at the end."""
    runner = ProcessRunner(session, processes)
    try:
        yield runner
    except BaseException:
        runner.cancel()
        raise
    runner.close()


class _Worker:
    """The driver's side of a worker process."""

    def __init__(self, session: Session) -> None:
        self._pipe, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve, args=(theirs, session), name="metadata-export", daemon=True)
        self._process.start()
        theirs.close()  # or its end would not be noticed when the process ends

    def ask(self, task: Task, attempt: int, description: str) -> Answer:
        """Have a task run; a process that ends meanwhile is an answer too."""
        try:
            self._pipe.send((task, attempt))
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(STOP_SECONDS)
            why = f"{description}: its process {_ended(self._process.exitcode)}"
            return Answer(WorkerError(why), lost=why)
        return answer

    def stop(self) -> None:
        """Ask the process to end."""
        with suppress(OSError):
            self._pipe.send(None)

    def join(self) -> None:
        """Wait for the end of the process; it is killed when that takes too long."""
        self._process.join(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process at once, if it has not ended."""
        self._process.kill()
        self._process.join(STOP_SECONDS)


def _ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name} (out of memory?)"
    return f"ended with exit code {exit_code}"
