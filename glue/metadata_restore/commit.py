"""A COMMIT whose answer may be lost: then the server is asked what became of it."""

from time import sleep

import psycopg

from metadata_restore.database import Address, Connection, naming, told
from metadata_restore.errors import TargetError, UncertainError

_ASKED = 30  # times, once a second: as long as the server needs to notice that nobody is there


def commit(address: Address, connection: Connection) -> None:
    """Commit. When the connection is lost meanwhile, ask the server what became of it.

    https://www.postgresql.org/docs/current/functions-info.html (pg_xact_status)
    """
    with naming("finish the restore"):
        [[transaction]] = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchall()
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if not connection.broken:
            # the server has answered: a key that is checked at the commit, a disk that is full
            raise TargetError(f"Could not commit the restore: {told(error)}. The target is as it was.") from None
        if not _was_committed(address, str(transaction), told(error)):
            lost = f"The connection was lost at the commit ({told(error)}). The target is as it was: try again."
            raise TargetError(lost) from None
    except KeyboardInterrupt:
        connection.close()
        if not _was_committed(address, str(transaction), "interrupted"):
            raise


def _was_committed(address: Address, transaction: str, reason: str) -> bool:
    query = "SELECT pg_catalog.pg_xact_status(%s::text::pg_catalog.xid8)"
    try:
        with address.connected() as connection:
            for _ in range(_ASKED):
                [[status]] = connection.execute(query, [transaction]).fetchall()
                if status != "in progress":
                    return status == "committed"
                sleep(1)
    except (psycopg.Error, TargetError, KeyboardInterrupt):
        pass
    raise UncertainError(
        f"The connection was lost at the commit ({reason}), and the server does not say what became of it. "
        f"The target is as it was, or complete: SELECT pg_xact_status('{transaction}') tells."
    )
