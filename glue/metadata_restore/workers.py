"""Several connections that work at the same time, each on one thing at a time."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from types import TracebackType

import psycopg

from metadata_restore.database import Address, Connection

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
        self._ended = False

    def run(self, works: Iterable[Work]) -> None:
        """Do everything, in about this order, with what comes of it.

        Raises:
            RestoreError: the first one of a work; the others are cut short.
        """
        running: set[Future[Iterable[Work]]] = {self._pool.submit(self._do, work) for work in works}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                running |= {self._pool.submit(self._do, work) for work in future.result()}

    def _do(self, work: Work) -> Iterable[Work]:
        if self._ended:
            return ()
        return work(self._connection())

    def _connection(self) -> Connection:
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
        if error is not None:
            with self._lock:
                for connection in self._all:
                    with suppress(psycopg.Error):
                        connection.cancel_safe(timeout=5)
        self._pool.shutdown(cancel_futures=True)
        for connection in self._all:
            connection.close()
