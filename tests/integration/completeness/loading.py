"""Loads an export as on the worst day: into a fresh database, in foreign-key order, with constraints on."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from tests.integration.completeness.engine import Export
from tests.integration.completeness.live_catalog import LiveCatalog


def load(
    export: Export, connection: psycopg.Connection[Any], catalog: LiveCatalog, *, constraints: bool = True
) -> None:
    """Load every exported table.

    Args:
        connection: to a freshly migrated database; the rows that the migration made are deleted first.
        catalog: of that database.
        constraints: False lets rows in whose parents are missing, so that they can be looked at.

    Raises:
        psycopg.errors.ForeignKeyViolation: the export is not closed under foreign keys.
    """
    tables = [table for table in catalog.load_order if table in export.tables]
    names = sql.SQL(", ").join(sql.Identifier("public", table) for table in tables)
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
    if not constraints:
        connection.execute("SET LOCAL session_replication_role = replica")
    for table in tables:
        columns = [column["name"] for column in export.tables[table]["columns"]]
        _copy(connection, table, columns, export.csv(table))
    connection.commit()


def rows_as_text(connection: psycopg.Connection[Any], table: str, positions: Iterable[str] | None = None) -> list[str]:
    """Return rows as PostgreSQL prints them, sorted; those at these ctids when they are given."""
    query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier("public", table))
    if positions is not None:
        query = sql.SQL("{} WHERE ctid = ANY (%s::tid[])").format(query)
        return sorted(row[0] for row in connection.execute(query, [list(positions)]))
    return sorted(row[0] for row in connection.execute(query))


def _copy(connection: psycopg.Connection[Any], table: str, columns: list[str], rows: bytes) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER match)").format(
        sql.Identifier("public", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        copy.write(rows)
