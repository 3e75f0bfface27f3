"""What the target database is and holds, by its own catalog."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from metadata_restore.database import Connection, naming

HEARTBEAT_SECONDS = 120
"""a component that has not reported for so long is not running: the slowest report every 30 s"""
COUNTED = 1_000_000
"""rows of a table are counted up to here"""

_TABLES = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname <> 'public', n.nspname, c.relname
"""
_COLUMNS = """
SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attgenerated <> ''
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.oid, a.attnum
"""
# A constraint of a partition is its parent's.
_FOREIGN_KEYS = """
SELECT k.conname, n.nspname, c.relname, pn.nspname, p.relname,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place),
       k.condeferrable, k.condeferred
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
ORDER BY n.nspname, c.relname, k.conname
"""
# Those that run before a row and could change it or leave it out, also in a partition; COPY runs no rules.
_TRIGGERS = """
SELECT DISTINCT n.nspname, c.relname, t.tgname
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = COALESCE(pg_catalog.pg_partition_root(t.tgrelid), t.tgrelid)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 7 = 7 AND c.relkind IN ('r', 'p')
ORDER BY n.nspname, c.relname, t.tgname
"""
# In this transaction nothing may be written; in the next one what is the default for this role and database.
_READ_ONLY = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'"


@dataclass(frozen=True)
class TargetColumn:
    """A column; ``required``: a row must bring a value; ``generated``: none may."""

    name: str
    type: str
    required: bool
    generated: bool


@dataclass(frozen=True)
class TargetTable:
    """A table, by the name that an export gives it: its own in the schema public, else ``schema.table``."""

    name: str
    schema: str
    table: str
    columns: tuple[TargetColumn, ...]

    @property
    def relation(self) -> sql.Identifier:
        """The table as statements name it."""
        return sql.Identifier(self.schema, self.table)

    def has(self, *columns: str) -> bool:
        """Say whether it has these columns."""
        return set(columns) <= {column.name for column in self.columns}


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key between tables of these names, position by position."""

    name: str
    child: str
    parent: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    deferrable: bool
    deferred: bool


@dataclass(frozen=True)
class Target:
    """A database.

    Args:
        place: host, port and database, for people.
        server_version_num: 180004 for 18.4.
        tables: by name.
        foreign_keys: of all tables.
        heads: revisions of the schema by version table (``alembic_version`` and those that begin with that).
        running: Airflow's components whose heartbeat is fresh, for people.
        triggers: table -> those that could change a row which is loaded.
        read_only: why nothing can be written, for people; nothing: it can.
    """

    place: str
    server_version_num: int
    tables: Mapping[str, TargetTable]
    foreign_keys: tuple[ForeignKey, ...]
    heads: Mapping[str, tuple[str, ...]]
    running: tuple[str, ...]
    triggers: Mapping[str, tuple[str, ...]]
    read_only: str

    @property
    def empty(self) -> bool:
        """Whether it has no table."""
        return not self.tables

    def references(self) -> Iterable[tuple[str, str]]:
        """Return child and parent of every foreign key."""
        return ((key.child, key.parent) for key in self.foreign_keys)

    def referring(self, tables: Iterable[str]) -> frozenset[str]:
        """Return the other tables that refer to these, directly or through others."""
        given = frozenset(tables)
        found = given
        while more := {child for child, parent in self.references() if parent in found} - found:
            found |= more
        return found - given


def examine(connection: Connection) -> Target:
    """Look at the database within the connection's transaction; nothing is changed or locked.

    Raises:
        TargetError: it does not answer, or does not let itself be looked at.
    """
    with naming("look at the target database"):
        tables = _read_tables(connection)
        info = connection.info
        return Target(
            place=f"{info.host or 'local socket'}:{info.port}/{info.dbname}",
            server_version_num=int(str(connection.execute("SHOW server_version_num").fetchall()[0][0])),
            tables=tables,
            foreign_keys=tuple(_read_keys(connection)),
            heads=_read_heads(connection, tables),
            running=tuple(_read_running(connection, tables)),
            triggers=_read_triggers(connection),
            read_only=_read_only(connection),
        )


def count_rows(connection: Connection, tables: Iterable[TargetTable]) -> dict[str, int]:
    """Return how many rows tables have, by name, without those that have none; beyond COUNTED it says one more.

    Raises:
        TargetError: the role may not read a table.
    """
    counts = [
        sql.SQL("SELECT {}, count(*) FROM (SELECT FROM {} LIMIT {}) AS counted").format(
            sql.Literal(table.name), table.relation, sql.Literal(COUNTED + 1)
        )
        for table in tables
    ]
    with naming("count the rows of the target database"):
        rows = connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall() if counts else []
    return {str(name): int(str(count)) for name, count in rows if count}


def is_running() -> sql.Composable:
    """Return the condition of a row in ``job`` whose component has reported not long ago."""
    return sql.SQL("(state = 'running' AND latest_heartbeat > now() - make_interval(secs => {}))").format(
        sql.Literal(HEARTBEAT_SECONDS)
    )


def _name(schema: object, table: object) -> str:
    return str(table) if schema == "public" else f"{schema}.{table}"


def _read_tables(connection: Connection) -> dict[str, TargetTable]:
    columns: dict[str, list[TargetColumn]] = {}
    for schema, table, name, kind, required, generated in connection.execute(_COLUMNS).fetchall():
        column = TargetColumn(str(name), str(kind), bool(required), bool(generated))
        columns.setdefault(_name(schema, table), []).append(column)
    tables: dict[str, TargetTable] = {}
    for schema, table in connection.execute(_TABLES).fetchall():
        name = _name(schema, table)
        # those of the schema public come first: a table there may be called as another schema's
        tables.setdefault(name, TargetTable(name, str(schema), str(table), tuple(columns.get(name, ()))))
    return tables


def _read_keys(connection: Connection) -> Iterable[ForeignKey]:
    for row in connection.execute(_FOREIGN_KEYS).fetchall():
        name, schema, child, parent_schema, parent, columns, parent_columns, deferrable, deferred = row
        yield ForeignKey(
            str(name), _name(schema, child), _name(parent_schema, parent), _names(columns), _names(parent_columns),
            bool(deferrable), bool(deferred),
        )  # fmt: skip


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _read_heads(connection: Connection, tables: Mapping[str, TargetTable]) -> dict[str, tuple[str, ...]]:
    heads = {}
    for name, table in tables.items():
        if name.startswith("alembic_version") and table.has("version_num"):
            query = sql.SQL("SELECT version_num FROM {} ORDER BY version_num").format(table.relation)
            heads[name] = tuple(str(row[0]) for row in connection.execute(query).fetchall())
    return heads


def _read_triggers(connection: Connection) -> dict[str, tuple[str, ...]]:
    triggers: dict[str, tuple[str, ...]] = {}
    for schema, table, name in connection.execute(_TRIGGERS).fetchall():
        triggers[_name(schema, table)] = (*triggers.get(_name(schema, table), ()), str(name))
    return triggers


def _read_only(connection: Connection) -> str:
    [[standby, by_default]] = connection.execute(_READ_ONLY).fetchall()
    if standby:
        return "it is a standby. Restore into its primary"
    return "default_transaction_read_only is on for it or for this role. Turn that off" if by_default else ""


def _read_running(connection: Connection, tables: Mapping[str, TargetTable]) -> Iterable[str]:
    job = tables.get("job")
    if job is None or not job.has("id", "state", "job_type", "hostname", "latest_heartbeat"):
        return
    query = sql.SQL(
        "SELECT job_type, hostname, extract(epoch FROM now() - latest_heartbeat)::int FROM {} WHERE {} ORDER BY 1, 2"
    ).format(job.relation, is_running())
    for kind, host, seconds in connection.execute(query).fetchall():
        yield f"{kind} on {host} ({seconds} s ago)"
