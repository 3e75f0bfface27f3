"""Rows that refer to a row which does not exist: they do not load into a database that has the constraint.

Only a key that PostgreSQL does not enforce can have them, so in a sound database there is nothing to count.
"""

from collections.abc import Iterable

from psycopg import sql

from metadata_export.catalog import Catalog, ForeignKey, Table
from metadata_export.from_clause import in_heaps, pairs, relation
from metadata_export.identity import changed_query, check_unchanged
from metadata_export.source import Connection, naming, savepoint
from metadata_export.window import Condition


def count_orphans(connection: Connection, catalog: Catalog, table: Table) -> int:
    """Return how many rows of a table lack a parent, within the connection's transaction; no table stays locked.

    Raises:
        SourceError: the table, or one that it refers to, cannot be read.
    """
    keys = [key for key in table.foreign_keys if not key.enforced and not key.period]
    if not keys:
        return 0
    lacking = sql.SQL(" OR ").join(_lacking(catalog.tables[key.parent], key) for key in keys)
    query = sql.SQL("SELECT count(*) FROM {} AS t0 WHERE {}").format(relation(table), lacking)
    action = f"count the rows of {table.name} whose parents do not exist"
    with naming(action, connection), savepoint(connection):
        found = int(str(connection.execute(query).fetchall()[0][0]))
        check_unchanged(connection, changed_query(_read(catalog, table, keys)), action)
    return found


def _read(catalog: Catalog, table: Table, keys: Iterable[ForeignKey]) -> list[Table]:
    return [table, *(catalog.tables[name] for name in sorted({key.parent for key in keys} - {table.name}))]


def _lacking(parent: Table, key: ForeignKey) -> Condition:
    made = [sql.SQL("{} IS NOT NULL").format(sql.Identifier("t0", column)) for column in key.columns]
    made += [in_heaps("t0", key.heaps)] if key.heaps else []
    template = sql.SQL("({} AND NOT EXISTS (SELECT FROM {} AS p WHERE {}))")
    return template.format(sql.SQL(" AND ").join(made), relation(parent), pairs(key, "t0", "p"))
