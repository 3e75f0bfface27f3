"""Takes away what a create has made, so that the database is as empty as it was."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg
from psycopg import sql

from metadata_restore.commit import commit, is_committed
from metadata_restore.database import Address, Connection, begin, rollback, told
from metadata_restore.entries import Entry
from metadata_restore.errors import TargetError, UncertainError

# What a table brings along (its sequences, indexes, triggers) goes with it. An extension stays: it may have been there.
WORDS = {"type": "TYPE", "domain": "DOMAIN", "sequence": "SEQUENCE", "table": "TABLE", "collation": "COLLATION"}
_FUNCTIONS = """
SELECT format('DROP ROUTINE IF EXISTS %%s CASCADE', p.oid::pg_catalog.regprocedure)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND format('%%s(%%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) = %s
"""


@dataclass(frozen=True)
class Made:
    """What one transaction makes.

    Args:
        transaction: its number. Only the server knows whether it was committed: the answer may be lost.
        entries: what it makes, in this order.
    """

    transaction: str
    entries: tuple[Entry, ...]


def undo(address: Address, connection: Connection, made: Iterable[Made], reason: str) -> None:
    """Drop what these transactions have made, in one transaction; what was not committed is not theirs.

    Args:
        connection: what it is done by if it is still open: on a disk that is full nobody may be let in any more
            (PostgreSQL 18: FATAL, "could not write init file").

    Raises:
        UncertainError: it cannot be dropped, or somebody interrupts.
    """
    try:
        rollback(connection)  # where it was interrupted; and shows whether it is open
        with address.connected() if connection.closed else nullcontext(connection) as usable:
            entries = [entry for each in made if _is_made(usable, each) for entry in each.entries]
            begin(usable)
            for entry in reversed(entries):
                for statement in _drop(usable, entry):
                    usable.execute(statement)
            commit(address, usable)
    except (psycopg.Error, TargetError, KeyboardInterrupt) as error:
        why = told(error) if isinstance(error, psycopg.Error) else str(error) or "interrupted"
        raise UncertainError(
            f"{reason} What had been made before is still there, since it could not be dropped ({why}). Drop the "
            "database and create it anew, before you try again"
        ) from None


def _is_made(connection: Connection, made: Made) -> bool:
    committed = is_committed(connection, made.transaction)
    if committed is None:
        raise TargetError(f"the server does not say what became of its transaction {made.transaction}")
    return committed


def _drop(connection: Connection, entry: Entry) -> Iterator[sql.Composed | bytes]:
    if entry.kind in WORDS:
        relation = sql.Identifier(entry.schema, entry.name)
        yield sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(WORDS[entry.kind]), relation)
    elif entry.kind == "schema":
        yield sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(entry.name))
    elif entry.kind == "function":
        for (statement,) in connection.execute(_FUNCTIONS, [entry.schema, entry.name]).fetchall():
            yield str(statement).encode()
