"""A COMMIT whose answer may be lost: then the server is asked what became of it."""

from collections.abc import Callable
from time import sleep

import psycopg

from metadata_restore.database import Address, Connection, naming, told
from metadata_restore.errors import TargetError, UncertainError

_ASKED = 30  # times, once a second: as long as the server needs to notice that nobody is there


def commit(
    address: Address, connection: Connection, committing: Callable[[str], None] = lambda transaction: None
) -> None:
    """Commit. When the connection is lost meanwhile, ask the server what became of it.

    Args:
        committing: is told the number of the transaction before; what it raises leaves the target as it is.

    Raises:
        TargetError: it was not committed.
        UncertainError: the server does not say.
    """
    transaction = number_of(connection)
    committing(transaction)
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if not connection.broken:
            # the server has answered: a key that is checked at the commit, a disk that is full
            raise TargetError(f"Could not commit the restore: {told(error)}") from None
        if not _was_committed(address, transaction, told(error)):
            lost = f"The connection was lost at the commit ({told(error)}), and nothing of it was kept: try again"
            raise TargetError(lost) from None
    except KeyboardInterrupt:
        connection.close()
        if not _was_committed(address, transaction, "interrupted"):
            raise


def number_of(connection: Connection) -> str:
    """Return the number of the connection's transaction, by which it can be asked for later.

    Raises:
        TargetError: the connection is lost.
    """
    with naming("number the transaction"):
        [[transaction]] = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchall()
    return str(transaction)


def is_committed(connection: Connection, transaction: str) -> bool | None:
    """Say what became of a transaction; None: the server does not say.

    https://www.postgresql.org/docs/current/functions-info.html (pg_xact_status)

    Raises:
        psycopg.Error: the connection is lost.
    """
    for _ in range(_ASKED):
        query = "SELECT pg_catalog.pg_xact_status(%s::text::pg_catalog.xid8)"
        [[status]] = connection.execute(query, [transaction]).fetchall()
        if status != "in progress":
            return None if status is None else status == "committed"
        sleep(1)
    return None


def _was_committed(address: Address, transaction: str, reason: str) -> bool:
    committed = None
    try:
        with address.connected() as connection:
            committed = is_committed(connection, transaction)
    except (psycopg.Error, TargetError, KeyboardInterrupt):
        pass
    if committed is None:
        raise UncertainError(
            f"The connection was lost at the commit ({reason}), and the server does not say what became of it. "
            f"The target is as it was, or complete: SELECT pg_xact_status('{transaction}') tells."
        )
    return committed
