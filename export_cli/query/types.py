"""Which type of DuckDB a column of PostgreSQL has: the same whether its export is read from CSV or from Parquet."""

import re
from collections.abc import Iterable

TEXT = "VARCHAR"
_TYPES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "bytea": "BLOB",
}
_WIDER = ("SMALLINT", "INTEGER", "BIGINT")


def duckdb_type(postgresql: str) -> str:
    """Return the type for what PostgreSQL calls a type; what has no counterpart that holds every value is text.

    So are numeric, json, uuid, time, interval, arrays and enums: the text that PostgreSQL writes.
    """
    return _TYPES.get(re.sub(r"\(\d+\)", "", postgresql), TEXT)


def common_type(types: Iterable[str]) -> str:
    """Return the type of a column that had these types in different exports: the widest integer, otherwise text."""
    found = set(types)
    if len(found) == 1:
        return found.pop()
    return max(found, key=_WIDER.index) if found <= set(_WIDER) else TEXT


def identifier(name: str) -> str:
    """Return a name as SQL writes it, whatever is in it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def unique_names(columns: Iterable[str]) -> list[str]:
    """Return names of columns, of which no two differ in case only: DuckDB takes `Id` and `id` for one.

    A later one gets a number, as DuckDB itself would have it: `id_1`.
    """
    taken: set[str] = set()
    names = []
    for column in columns:
        name, number = column, 0
        while name.lower() in taken:
            number += 1
            name = f"{column}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names
