"""All tables locked at once, or none: who waits for locks one after the other ends Airflow in a deadlock."""

import time
from collections.abc import Callable, Iterable

import psycopg
from psycopg import sql

from metadata_restore.database import Connection, begin, naming, rollback, told
from metadata_restore.errors import TargetError

PAUSE_SECONDS = 0.2


def begin_locked(
    connection: Connection,
    tables: Iterable[sql.Identifier],
    waiting: Callable[[float], None],
    wait_seconds: float,
) -> None:
    """Begin the connection's transaction with all tables locked against everybody else.

    Tried over and over, each time all of them or none: a failed attempt costs the others milliseconds.

    Args:
        tables: what to lock; none: nothing is.
        waiting: told after each attempt how many seconds it has taken so far.
        wait_seconds: how long to try.

    Raises:
        TargetError: somebody held a lock on one of them all the time.
    """
    names = sql.SQL(", ").join(tables)
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(names)
    started = time.monotonic()
    while True:
        begin(connection)
        try:
            with naming("lock the target's tables"):
                held = _try(connection, statement)
        except BaseException:
            rollback(connection)
            raise
        if held is None:
            return
        rollback(connection)
        seconds = time.monotonic() - started
        if seconds > wait_seconds:
            raise TargetError(
                f"Could not lock the target's tables within {wait_seconds:.0f} s: {held}. Somebody works with them: "
                "end that, or try again."
            )
        waiting(seconds)
        time.sleep(PAUSE_SECONDS)


def _try(connection: Connection, statement: sql.Composed) -> str | None:
    """Return what the server says is locked by somebody else; None: everything is ours."""
    try:
        connection.execute(statement)
    except psycopg.errors.LockNotAvailable as error:
        return told(error)
    return None
