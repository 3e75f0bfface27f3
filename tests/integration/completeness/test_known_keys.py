"""The keys by which the command `query --history` tells rows apart are those of the real schemas."""

import psycopg
import pytest
from plan_export.table_registry import TABLE_NAMES

from export_cli.query.keys import primary_key, unique_key
from tests.integration.completeness.databases import CHOSEN, Databases

_KEYS = """
    SELECT c.relname, i.indisprimary, array_agg(a.attname::text ORDER BY a.attname)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
    WHERE n.nspname = 'public' AND i.indisunique AND i.indpred IS NULL GROUP BY i.indexrelid, 1, 2
"""
_COLUMNS = "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns GROUP BY 1"


@pytest.mark.parametrize("version", CHOSEN)
def test_given_a_migrated_schema_then_known_keys_are_its_keys(version: str, databases: Databases) -> None:
    with psycopg.connect(databases.empty(version)) as connection:
        keys = connection.execute(_KEYS).fetchall()
        columns = dict(connection.execute(_COLUMNS).fetchall())
    primary = {table: columns_of for table, is_primary, columns_of in keys if is_primary and table in TABLE_NAMES}
    unique = [(table, columns_of) for table, _, columns_of in keys]
    known = {table: sorted(primary_key(table, columns[table]) or ()) for table in primary}
    assert len(primary) > 30
    assert known == primary
    shared = {table: sorted(key) for table in primary if (key := unique_key(table))}
    assert "task_instance" in shared
    assert [(table, key) for table, key in shared.items() if (table, key) not in unique] == []
