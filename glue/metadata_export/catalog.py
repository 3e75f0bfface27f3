"""What the live database holds: tables, columns, keys, sizes. Nothing about Airflow's schema is assumed beyond it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from metadata_export.errors import SourceError
from metadata_export.source import Connection, naming

# r ordinary, p partitioned; a partition is exported as a part of its parent, which has no pages of its own.
# pg_partition_tree() would keep every partition locked until the transaction ends.
TABLES = """
SELECT c.relname, c.relkind::text,
       CASE c.relkind WHEN 'p' THEN (
           WITH RECURSIVE tree AS (
               SELECT c.oid UNION ALL
               SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid
           ) SELECT COALESCE(sum(pg_catalog.pg_table_size(oid)), 0) FROM tree
       ) ELSE pg_catalog.pg_table_size(c.oid) END,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'public'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""
# A generated column cannot be loaded, and COPY of a whole table leaves it out too.
COLUMNS = """
SELECT c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atttypid IN ('pg_catalog.timestamptz'::pg_catalog.regtype, 'pg_catalog.timestamp'::pg_catalog.regtype)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY c.relname, a.attnum
"""
FOREIGN_KEYS = """
SELECT child.relname, k.conname, parent.relname,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.position),
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.position)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class child ON child.oid = k.conrelid
JOIN pg_catalog.pg_class parent ON parent.oid = k.confrelid
WHERE k.contype = 'f' AND k.conparentid = 0 AND child.relnamespace = 'public'::pg_catalog.regnamespace
  AND parent.relnamespace = 'public'::pg_catalog.regnamespace
ORDER BY child.relname, k.conname
"""
# COPY reads the rows of the snapshot from the table that has the name now. One that was truncated or rewritten since
# has another file and looks empty (https://www.postgresql.org/docs/current/mvcc-caveats.html); one that was dropped and
# created again is another table under the same name; a partition that is gone or detached takes its rows with it. An
# ordinary table that is only dropped needs no look: it was read before, or its COPY has failed.
# Asking for the size locks the table for a moment, which brings what this session knows of it up to date.
REPLACED = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'public'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
  AND (c.relispartition OR c.relname IN ({}))
  AND CASE WHEN COALESCE(pg_catalog.pg_relation_size(c.oid), 0) >= 0 THEN
          pg_catalog.pg_relation_filenode(c.oid) <> c.relfilenode
          OR CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid) IS NULL
             ELSE pg_catalog.to_regclass(pg_catalog.format('public.%I', c.relname)) <> c.oid END
      END
ORDER BY c.relname
"""
SERVER = """
SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::int
"""


@dataclass(frozen=True)
class Column:
    """One column; `type` as PostgreSQL writes it in a table definition."""

    name: str
    type: str
    not_null: bool
    is_timestamp: bool


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that refer to a row of `parent`, position by position."""

    name: str
    parent: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table of the schema public."""

    name: str
    partitioned: bool
    total_bytes: int
    """on disk, TOAST included"""
    pages: int
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]

    def column(self, name: str) -> Column | None:
        """Return a column by its name."""
        return next((column for column in self.columns if column.name == name), None)

    def has(self, *names: str) -> bool:
        """Return whether the table has all these columns."""
        return all(self.column(name) for name in names)

    @property
    def timestamps(self) -> tuple[Column, ...]:
        """The columns that hold a moment."""
        return tuple(column for column in self.columns if column.is_timestamp)


@dataclass(frozen=True)
class Catalog:
    """The tables of the schema public, by name, and the server they are on."""

    tables: Mapping[str, Table]
    server_version: str
    server_version_num: int


def read_catalog(connection: Connection) -> Catalog:
    """Read the catalog within the connection's transaction."""
    with naming("read the catalog", connection):
        server_version, server_version_num = connection.execute(SERVER).fetchall()[0]
        columns, keys = _columns(connection), _foreign_keys(connection)
        rows = connection.execute(TABLES).fetchall()
    tables = {
        str(name): Table(
            name=str(name),
            partitioned=kind == "p",
            total_bytes=int(str(total_bytes)),
            pages=int(str(pages)),
            columns=tuple(columns.get(str(name), ())),
            foreign_keys=tuple(keys.get(str(name), ())),
        )
        for name, kind, total_bytes, pages in rows
    }
    return Catalog(tables=tables, server_version=str(server_version), server_version_num=int(str(server_version_num)))


def check_not_replaced(connection: Connection, tables: Iterable[str]) -> None:
    """Raise SourceError when one of these tables was replaced since the transaction's snapshot.

    Args:
        connection: whose transaction has the snapshot with which the tables were read before.
    """
    names = sql.SQL(", ").join([*map(sql.Literal, sorted(tables)), sql.NULL])  # NULL: the list may be empty
    with naming("look whether tables were replaced"):
        replaced = [str(row[0]) for row in connection.execute(sql.SQL(REPLACED).format(names)).fetchall()]
    if replaced:
        raise SourceError(
            f"{', '.join(replaced)}: truncated, rewritten or replaced (TRUNCATE, ALTER TABLE, VACUUM FULL, DROP and "
            "CREATE) after the export's snapshot, so rows are missing: export this group again, when no migration runs"
        )


def read_alembic_heads(connection: Connection, catalog: Catalog) -> dict[str, list[str]]:
    """Return the schema revisions: version table -> its heads (the provider FAB has a version table of its own)."""
    heads: dict[str, list[str]] = {}
    for table in catalog.tables.values():
        if table.name.startswith("alembic_version") and table.has("version_num"):
            query = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(sql.Identifier("public", table.name))
            with naming(f"read {table.name}", connection):
                heads[table.name] = [str(row[0]) for row in connection.execute(query).fetchall()]
    return heads


def _columns(connection: Connection) -> dict[str, list[Column]]:
    columns: dict[str, list[Column]] = {}
    for table, name, kind, not_null, is_timestamp in connection.execute(COLUMNS).fetchall():
        columns.setdefault(str(table), []).append(Column(str(name), str(kind), bool(not_null), bool(is_timestamp)))
    return columns


def _foreign_keys(connection: Connection) -> dict[str, list[ForeignKey]]:
    keys: dict[str, list[ForeignKey]] = {}
    for table, name, parent, columns, parent_columns in connection.execute(FOREIGN_KEYS).fetchall():
        key = ForeignKey(str(name), str(parent), _names(columns), _names(parent_columns))
        keys.setdefault(str(table), []).append(key)
    return keys


def _names(array: object) -> tuple[str, ...]:
    if not isinstance(array, list):
        raise TypeError(f"expected an array of names, got {array!r}")
    return tuple(str(name) for name in array)
