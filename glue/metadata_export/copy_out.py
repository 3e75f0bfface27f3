"""COPY TO STDOUT at the speed of the server.

psycopg's Copy.read() costs one Python call chain per row; this loop drives libpq directly, as
https://www.postgresql.org/docs/current/libpq-copy.html describes, and hands on blocks of about a mebibyte.
"""

import gc
import select
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from metadata_export.source import Connection

BLOCK_BYTES = 1024 * 1024


class CopyOut:
    """One running COPY: iterate over its blocks, then read `rows`."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._pgconn = connection.pgconn
        self._readable = select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)
        self._send(statement)
        self._expect(pq.ExecStatus.COPY_OUT)
        self.rows = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks of whole rows; the last one may be short.

        Raises:
            psycopg.Error: the server's, also in the middle of the rows.
        """
        get_copy_data = self._pgconn.get_copy_data
        rows: list[bytes | memoryview] = []
        append, size = rows.append, 0
        while True:
            length, row = get_copy_data(1)  # without waiting: that would hold the GIL, and running uploads with it
            if length > 0:
                append(row)
                size += length
                if size >= BLOCK_BYTES:
                    yield b"".join(rows)
                    rows.clear()
                    size = 0
            elif length == 0:
                self._readable.poll()
                self._pgconn.consume_input()
            else:
                break
        if rows:
            yield b"".join(rows)
        self.rows = self._finish()

    def _send(self, statement: str) -> None:
        self._pgconn.send_query(statement.encode())
        while self._pgconn.flush():  # the connection is non-blocking and a statement may be long
            self._writable.poll()
            self._pgconn.consume_input()

    def _finish(self) -> int:
        tag = self._expect(pq.ExecStatus.COMMAND_OK).command_status or b""
        while self._next_result() is not None:
            pass
        return int(tag.removeprefix(b"COPY "))

    def _expect(self, status: pq.ExecStatus) -> "pq.abc.PGresult":
        result = self._next_result()
        if result is None:
            raise psycopg.OperationalError("the server ended the connection during COPY")
        if result.status != status:
            raise error_from_result(result)
        return result

    def _next_result(self) -> "pq.abc.PGresult | None":
        while self._pgconn.is_busy():
            self._readable.poll()
            self._pgconn.consume_input()
        return self._pgconn.get_result()


@contextmanager
def without_garbage_collector() -> Iterator[None]:
    """Stop the cycle collector while rows are copied.

    Every row makes two objects that it tracks, none of which is part of a cycle; it would traverse the whole process
    every few hundred rows, which costs twice what the copy itself does.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
