"""Is what a statement has read what the snapshot's catalog described?

COPY reads the rows of the snapshot from the relation that has the name now. One that was truncated or rewritten since
has another file and looks empty (https://www.postgresql.org/docs/current/mvcc-caveats.html); one that was created again
or swapped by a rename is another relation under the name, and columns may have changed their names as well. The
transaction that has read a relation keeps it locked against all of that, so asking after the statement is soon enough.
"""

from collections.abc import Iterable

from psycopg import sql

from metadata_export.catalog import Heap, Table
from metadata_export.errors import SourceError
from metadata_export.source import Connection, naming

# Both functions look into what this session knows of the catalog, which its locks have brought up to date.
CHANGED = """
SELECT h.name FROM (VALUES {}) AS h (oid, filenode, names, attnums, columns, name)
WHERE pg_catalog.pg_relation_filenode(h.oid) IS DISTINCT FROM h.filenode
   OR (pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::pg_catalog.regclass, h.oid, 0)).object_names
      IS DISTINCT FROM h.names
   OR EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest(h.attnums), pg_catalog.unnest(h.columns)) AS c (attnum, name)
              WHERE (pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::pg_catalog.regclass, h.oid,
                     c.attnum)).object_names IS DISTINCT FROM h.names || c.name)
"""


def changed_query(tables: Iterable[Table], heap: tuple[Table, Heap] | None = None) -> str:
    """Return the query for the names of heaps that are not what they were in the snapshot.

    Args:
        tables: all of whose heaps a statement reads.
        heap: the one that it reads of another table.
    """
    read = [(table, each) for table in tables for each in table.heaps] + ([heap] if heap else [])
    values = sql.SQL(", ").join(_values(table, each) for table, each in read)
    return sql.SQL(CHANGED).format(values).as_string(None) if read else ""


def check_unchanged(connection: Connection, query: str, action: str) -> None:
    """Raise SourceError when a heap that was read in this transaction is not what the snapshot's catalog described.

    Args:
        query: of `changed_query`; it may be empty.
        action: what the heaps were read for, should the query fail.
    """
    if not query:
        return
    with naming(action, connection):
        changed = [str(row[0]) for row in connection.execute(query.encode()).fetchall()]
    if changed:
        raise SourceError(
            f"{', '.join(sorted(changed))}: truncated, rewritten or replaced (TRUNCATE, ALTER TABLE, VACUUM FULL, a "
            "rename, DROP and CREATE) after the export's snapshot, so rows are missing: export this group again, when "
            "no migration runs"
        )


def _values(table: Table, heap: Heap) -> sql.Composable:
    own = heap.name if heap.schema == "public" else f"{heap.schema}.{heap.name}"
    return sql.SQL("({}::oid, {}::oid, {}::text[], {}::smallint[], {}::text[], {})").format(
        sql.Literal(heap.oid),
        sql.Literal(heap.filenode),
        _array([heap.schema, heap.name]),
        sql.Literal("{" + ",".join(map(str, heap.attnums)) + "}"),
        _array([column.name for column in table.columns]),
        sql.Literal(own if own == table.name else f"{table.name} ({own})"),
    )


def _array(texts: Iterable[str]) -> sql.Composable:
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(sql.Literal, texts)))
