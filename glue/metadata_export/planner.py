"""How a statement is to be run, where PostgreSQL cannot know better than who has counted before.

Its estimates for keys of two columns are far too low, and a table that nobody has analyzed has none. What is forbidden
is only made very dear: a statement that has no other way still runs.
https://www.postgresql.org/docs/current/runtime-config-query.html#RUNTIME-CONFIG-QUERY-ENABLE
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from metadata_export.source import Connection

LOOK_UP = ("enable_hashjoin", "enable_mergejoin", "enable_sort")
"""join by looking up each row of one side by index; that side may be read whole"""
BY_INDEX = ("enable_seqscan",)
"""read no table from its start to its end"""
BY_HASH = ("enable_nestloop", "enable_mergejoin")
"""read a range of pages and the rows that it refers to, once each"""


@contextmanager
def pinned(connection: Connection, forbidden: Sequence[str]) -> Iterator[None]:
    """Forbid PostgreSQL these ways within the connection's transaction, until the end of what is done within.

    After an error nothing is allowed again: the transaction has failed, and its settings end with it.
    """
    if forbidden:
        connection.execute(_set(forbidden, "off"))
    yield
    if forbidden:
        connection.execute(_set(forbidden, "DEFAULT"))


def _set(names: Sequence[str], value: str) -> bytes:
    return "; ".join(f"SET LOCAL {name} TO {value}" for name in names).encode()
