"""How a statement is to be run, where whoever has counted rows before knows better than PostgreSQL.

Its estimates for keys of two columns are far too low, and a table that nobody has analyzed has none. What is forbidden
is only made very expensive: a statement that has no other way still runs.
https://www.postgresql.org/docs/current/runtime-config-query.html#RUNTIME-CONFIG-QUERY-ENABLE
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import sql

from metadata_export.source import Connection

LOOK_UP = ("enable_hashjoin", "enable_mergejoin", "enable_sort")
"""join by looking up each row of one side by index; that side may be read whole"""
BY_INDEX = ("enable_seqscan", "enable_memoize")
"""read no table from its start to its end, and keep no copy of what is looked up once"""
BY_LOOSE_SCAN = (*BY_INDEX, "enable_bitmapscan", "enable_sort")
"""as by index, and take what comes next in an index from there instead of sorting what comes after it"""
BY_HASH = ("enable_nestloop", "enable_mergejoin")
"""read a range of pages and the rows that it refers to, once each"""
# Not every server knows every setting.
FORBID = """
SELECT name, pg_catalog.current_setting(name), pg_catalog.set_config(name, 'off', true)
FROM pg_catalog.unnest({}) AS name WHERE pg_catalog.current_setting(name, true) IS NOT NULL
"""
ALLOW = "SELECT pg_catalog.set_config(name, value, true) FROM (VALUES {}) AS known (name, value)"


@contextmanager
def pinned(connection: Connection, forbidden: Sequence[str]) -> Iterator[None]:
    """Forbid PostgreSQL these ways within the connection's transaction, until the end of what is done within.

    After an error nothing is allowed again: the transaction has failed, and its settings end with it.
    """
    if not forbidden:
        yield
        return
    names = sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(sql.Literal, forbidden)))
    before = connection.execute(sql.SQL(FORBID).format(names)).fetchall()
    yield
    values = (sql.SQL("({}, {})").format(sql.Literal(name), sql.Literal(value)) for name, value, _ in before)
    connection.execute(sql.SQL(ALLOW).format(sql.SQL(", ").join(values)))
