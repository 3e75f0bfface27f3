"""Several connections that work at the same time, each on one thing at a time."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from types import TracebackType

import psycopg

from metadata_restore.database import Address, Connection

PAUSE_SECONDS = 0.2
IDLE_SECONDS = 30  # then a connection is opened anew: the role may have idle sessions ended, a network forget them
Work = Callable[[Connection], "Iterable[Work]"]
"""is done on a connection outside of a transaction, and returns what can be done once it is done"""


class Workers:
    """Connections to a database, opened when they are needed. At the end of the block nothing runs any more."""

    def __init__(self, address: Address, jobs: int) -> None:
        """Work on so many connections."""
        self._address = address
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="restore")
        self._own = threading.local()
        self._lock, self._all = threading.Lock(), list[Connection]()
        self._running = set[Future[Iterable[Work]]]()
        self._ended = False

    def run(self, works: Iterable[Work]) -> None:
        """Do everything, in about this order, with what comes of it.

        Raises:
            RestoreError: the first one of a work; the others are cut short.
        """
        self._running |= {self._pool.submit(self._do, work) for work in works}
        while self._running:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            self._running -= done
            for future in done:
                self._running |= {self._pool.submit(self._do, work) for work in future.result()}

    def _do(self, work: Work) -> Iterable[Work]:
        if self._ended:
            return ()
        try:
            later = work(self._connection())
        except BaseException:
            self._ended = True  # before anything else fails for it, and is taken for the reason
            raise
        self._own.used = time.monotonic()
        return later

    def _connection(self) -> Connection:
        used = getattr(self._own, "used", None)
        if used is not None and time.monotonic() - used > IDLE_SECONDS:
            self._own.connection.close()
            del self._own.connection
        if not hasattr(self._own, "connection"):
            self._own.connection = self._address.connect()
            with self._lock:
                self._all.append(self._own.connection)
        connection: Connection = self._own.connection
        return connection

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in self._running):
            # Again and again, since it hits nothing between two statements; and another Ctrl-C changes nothing: what is
            # undone while somebody still works would not be gone.
            with suppress(psycopg.Error, KeyboardInterrupt):
                self._cut_short()
                time.sleep(PAUSE_SECONDS)
        for connection in self._all:
            connection.close()

    def _cut_short(self) -> None:
        with self._lock:
            connections = list(self._all)
        for connection in connections:
            if not connection.closed:
                connection.cancel_safe(timeout=5)
