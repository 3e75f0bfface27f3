"""Takes away what a create has made, so that the database is as empty as it was."""

from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql

from metadata_restore.database import Address, Connection, begin, told
from metadata_restore.entries import Entry
from metadata_restore.errors import TargetError, UncertainError

# What a table brings along (its sequences, indexes, triggers) goes with it. An extension stays: it may have been there.
WORDS = {"type": "TYPE", "domain": "DOMAIN", "sequence": "SEQUENCE", "table": "TABLE", "collation": "COLLATION"}
_FUNCTIONS = """
SELECT format('DROP ROUTINE IF EXISTS %%s CASCADE', p.oid::pg_catalog.regprocedure)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND format('%%s(%%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) = %s
"""


def undo(address: Address, made: Iterable[Entry], reason: str) -> None:
    """Drop what these entries have made, in one transaction.

    Raises:
        UncertainError: it cannot be dropped, or somebody interrupts.
    """
    try:
        with address.connected() as connection:
            begin(connection)
            for entry in reversed(list(made)):
                for statement in _drop(connection, entry):
                    connection.execute(statement)
            connection.execute("COMMIT")
    except (psycopg.Error, TargetError, KeyboardInterrupt) as error:
        why = told(error) if isinstance(error, psycopg.Error) else str(error) or "interrupted"
        raise UncertainError(
            f"{reason} What had been made before is still there, since it could not be dropped ({why}). Drop the "
            "database and create it anew, before you try again"
        ) from None


def _drop(connection: Connection, entry: Entry) -> Iterator[sql.Composed | bytes]:
    if entry.kind in WORDS:
        relation = sql.Identifier(entry.schema, entry.name)
        yield sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(WORDS[entry.kind]), relation)
    elif entry.kind == "schema":
        yield sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(entry.name))
    elif entry.kind == "function":
        for (statement,) in connection.execute(_FUNCTIONS, [entry.schema, entry.name]).fetchall():
            yield str(statement).encode()
