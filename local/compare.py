"""Does every exported file equal its table? Loaded back with COPY and compared by PostgreSQL itself, both ways."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import psycopg
from psycopg import sql

LOADED = sql.Identifier("loaded")
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Difference:
    """Rows that only one side has; `sample` is the first of them."""

    table: str
    only_in_database: int
    only_in_file: int
    sample: str


def compare_export(
    database_url: str, details: Mapping[str, Mapping[str, Any]], open_object: Callable[[str], BinaryIO]
) -> list[Difference]:
    """Compare each exported table with the table of the same name; an empty list says that all are equal.

    Nothing is left behind: the rows are loaded into a schema of their own, in a transaction that is rolled back.

    Args:
        database_url: superuser's URL of the exported database, in which nobody writes meanwhile.
        details: the summary's `details`: table -> `key`, `columns`.
        open_object: opens the gzip object under a key.
    """
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL timezone = 'UTC'")
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(LOADED))
        found = [_compare(connection, table, detail, open_object) for table, detail in details.items()]
        connection.rollback()
    return [difference for difference in found if difference]


def _compare(
    connection: psycopg.Connection[Any], table: str, detail: Mapping[str, Any], open_object: Callable[[str], BinaryIO]
) -> Difference | None:
    with open_object(detail["key"]) as compressed:
        _load(connection, table, [column["name"] for column in detail["columns"]], compressed)
    source, loaded = sql.Identifier("public", table), sql.SQL("{}.{}").format(LOADED, sql.Identifier(table))
    missing, extra = _rows_only_in(connection, source, loaded), _rows_only_in(connection, loaded, source)
    if not missing and not extra:
        return None
    return Difference(table, len(missing), len(extra), (missing or extra)[0][:500])


def _load(connection: psycopg.Connection[Any], table: str, columns: list[str], compressed: BinaryIO) -> None:
    """Make a bare copy of the table (same columns, no constraint) and COPY the file into it."""
    target = sql.SQL("{}.{}").format(LOADED, sql.Identifier(table))
    connection.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(target, sql.Identifier("public", table)))
    connection.execute(
        sql.SQL("ALTER TABLE {} {}").format(
            target,
            sql.SQL(", ").join(sql.SQL("ALTER {} DROP NOT NULL").format(sql.Identifier(name)) for name in columns),
        )
    )
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER match)").format(target, names)
    with gzip.open(compressed) as rows, connection.cursor().copy(statement) as copy:
        while block := rows.read(BLOCK_BYTES):
            copy.write(block)


def _rows_only_in(connection: psycopg.Connection[Any], one: sql.Composable, other: sql.Composable) -> list[str]:
    # As text, because json has no equality; jsonb, floats and timestamps print what they hold.
    query = sql.SQL("SELECT t::text FROM {} t EXCEPT ALL SELECT t::text FROM {} t").format(one, other)
    return [row[0] for row in connection.execute(query)]
