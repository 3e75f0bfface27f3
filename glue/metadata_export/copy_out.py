"""COPY TO STDOUT at the speed of the server.

psycopg's Copy.read() costs one Python call chain per row; this loop drives libpq directly, as
https://www.postgresql.org/docs/current/libpq-copy.html describes, and hands on blocks of some hundred kilobytes. What
libpq has read ahead, some kilobytes of rows, is taken by iterators that are written in C: a fifth less processor time
than a loop over the rows.
"""

import gc
import select
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat, takewhile
from operator import itemgetter

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from metadata_export.content import sum_of_rows
from metadata_export.source import Connection

BLOCK_BYTES = 256 * 1024  # fits the cache of a core: with a mebibyte, whoever compresses it waits for memory
ROW = itemgetter(1)  # of what get_copy_data returns: (length, row)


class CopyOut:
    """One running COPY: iterate over its blocks, then read `rows` and `content`, the sum of their hashes."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._pgconn = connection.pgconn
        self._readable = select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)
        self._send(statement)
        self._checked(self._next_result(), pq.ExecStatus.COPY_OUT)
        self.rows = self.content = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks of whole rows; the last one may be short.

        Raises:
            psycopg.Error: the server's, also in the middle of the rows.
        """
        pieces: list[bytes] = []
        size = 0
        result: pq.abc.PGresult | None = None
        while result is None:
            if piece := self._rows_at_hand():
                pieces.append(piece)
                size += len(piece)
            if size >= BLOCK_BYTES:
                yield b"".join(pieces)
                pieces.clear()
                size = 0
            result = self._end_or_more()
        if pieces:
            yield b"".join(pieces)
        self.rows = self._finish(result)

    def _rows_at_hand(self) -> bytes:
        """Return the rows that libpq has read: none is empty, so that what it says without one ends them."""
        # Without waiting: that would hold the GIL, and running uploads with it.
        rows = list(map(ROW, takewhile(ROW, map(self._pgconn.get_copy_data, repeat(1)))))
        self.content += sum_of_rows(rows)
        return b"".join(rows)

    def _end_or_more(self) -> "pq.abc.PGresult | None":
        """Return the result when there are no more rows; otherwise wait for some, and return None.

        libpq says COPY_OUT again whenever it is asked for a result before the last row has been taken.
        """
        result = self._next_result()
        if result is None or result.status != pq.ExecStatus.COPY_OUT:
            return self._checked(result, pq.ExecStatus.COMMAND_OK)
        self._readable.poll()
        self._pgconn.consume_input()
        return None

    def _send(self, statement: str) -> None:
        self._pgconn.send_query(statement.encode())
        while self._pgconn.flush():  # the connection is non-blocking and a statement may be long
            self._writable.poll()
            self._pgconn.consume_input()

    def _finish(self, result: "pq.abc.PGresult") -> int:
        tag = result.command_status or b""
        while self._next_result() is not None:
            pass
        return int(tag.removeprefix(b"COPY "))

    @staticmethod
    def _checked(result: "pq.abc.PGresult | None", status: pq.ExecStatus) -> "pq.abc.PGresult":
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
