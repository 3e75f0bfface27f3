"""Reads the catalog. A query sees it as of the transaction's snapshot; no table is locked, and none need still exist.

PostgreSQL's functions (sizes, names by oid) and COPY see it as it is now: what they say of a table may be NULL or an
error because the table has gone since.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from psycopg import sql

from metadata_export.catalog import Catalog, Column, ForeignKey, Heap, OwnedSequence, Table
from metadata_export.errors import SourceError
from metadata_export.foreign_keys import read_foreign_keys, read_references
from metadata_export.heaps import PUBLIC, Family, Relation, StandsAlone
from metadata_export.log import warning
from metadata_export.oids import oid_array
from metadata_export.references import with_expected_keys
from metadata_export.source import Connection, naming, savepoint

# A partition whose DETACH CONCURRENTLY was cut off in the middle belongs to the table for nobody any more, though it is
# listed until FINALIZE: https://www.postgresql.org/docs/current/catalog-pg-inherits.html (from PostgreSQL 14 on)
RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text,
       c.relispartition AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid
                                        AND (pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::boolean),
       NULLIF(c.relfilenode, 0), c.relpages
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname
"""
CHILDREN = """
SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i
WHERE (pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::boolean IS NOT TRUE
ORDER BY i.inhparent, i.inhseqno, i.inhrelid
"""
# A generated column cannot be loaded, and COPY of a whole table leaves it out too. From PostgreSQL 18 on a column may
# be marked NOT NULL before its rows are (NOT VALID): https://www.postgresql.org/docs/current/catalog-pg-attribute.html
COLUMNS = """
SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid
                                    AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated),
       a.atttypid IN ('pg_catalog.timestamptz'::pg_catalog.regtype, 'pg_catalog.timestamp'::pg_catalog.regtype),
       a.attnotnull
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY ({}) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attrelid, a.attnum
"""
PRIMARY_KEYS = """
SELECT k.conrelid, ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u(attnum, position)
                         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
                         ORDER BY u.position)
FROM pg_catalog.pg_constraint k WHERE k.contype = 'p' AND k.conrelid = ANY ({})
"""
# a: serial or OWNED BY, i: identity
OWNED_SEQUENCES = """
SELECT d.refobjid, n.nspname, s.relname, a.attname
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 AND d.refobjid = ANY ({})
ORDER BY d.refobjid, d.refobjsubid, n.nspname, s.relname
"""
# Asking for a size takes a lock, which brings what this session knows of the catalog up to date.
STILL_THERE = """
SELECT t.name FROM (VALUES {}) AS t (oid, name) WHERE pg_catalog.pg_relation_size(t.oid) IS NOT NULL
   OR pg_catalog.to_regclass(pg_catalog.format('public.%I', t.name)) IS NOT NULL
"""
SERVER = """
SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::int
"""


def read_catalog(
    connection: Connection,
    stands_alone: StandsAlone,
    any_schema: Collection[str] = (),
    excluded: Collection[str] = (),
) -> Catalog:
    """Read the catalog within the connection's transaction.

    Args:
        stands_alone: see `heaps.StandsAlone`.
        any_schema: names of tables that are exported from whatever schemas they are in.
        excluded: see `heaps.Family`.
    """
    with naming("read the catalog", connection):
        server_version, server_version_num = connection.execute(SERVER).fetchall()[0]
        relations = [_relation(row) for row in connection.execute(RELATIONS).fetchall()]
        links = [(_int(parent), _int(child)) for parent, child in connection.execute(CHILDREN).fetchall()]
        family = Family(relations, links, stands_alone, excluded)
        own = family.own_files(any_schema)
        files = own | family.consulted(own, read_references(connection))
        heaps = {name: family.heaps(table) for name, table in files.items()}
        oids = {relation.oid for name, table in files.items() for relation in (table, *heaps[name])}
        columns = _columns(connection, oids)
        named = {name: [column.name for _, column in columns.get(table.oid, ())] for name, table in files.items()}
        keys = read_foreign_keys(connection, family, files, named)
        names = {table.oid: name for name, table in files.items()}
        primary_keys, sequences = _primary_keys(connection, names), _owned_sequences(connection, names)
    tables = {
        name: replace(
            _table(name, each, heaps[name], columns, keys.get(name, [])),
            primary_key=primary_keys.get(name, ()),
            sequences=tuple(sequences.get(name, ())),
        )
        for name, each in files.items()
    }
    return Catalog(
        tables=with_expected_keys(tables),
        server_version=str(server_version),
        server_version_num=_int(server_version_num),
        not_tables=family.not_tables(),
        part_of=family.part_of(),
        elsewhere=tuple(family.elsewhere(own)),
    )


def still_there(connection: Connection, tables: Collection[Table]) -> frozenset[str]:
    """Return which of these tables of the schema public are there now, themselves or another one by their name.

    Whatever the snapshot sees; all of them where that cannot be told. One that was recreated is not gone: its rows are
    missing.
    """
    values = (sql.SQL("({}::oid, {}::text)").format(sql.Literal(each.oid), sql.Literal(each.name)) for each in tables)
    try:
        with naming("look whether tables are there"), savepoint(connection):
            rows = connection.execute(sql.SQL(STILL_THERE).format(sql.SQL(", ").join(values))).fetchall()
    except SourceError as error:
        warning(f"{error}: taken as there")
        return frozenset(each.name for each in tables)
    return frozenset(str(row[0]) for row in rows)


def _table(
    name: str,
    relation: Relation,
    heaps: list[Relation],
    columns: dict[int, list[tuple[int, Column]]],
    keys: list[ForeignKey],
) -> Table:
    numbers = {oid: {column.name: number for number, column in found} for oid, found in columns.items()}
    # A child may have NULL where its parent does not: https://www.postgresql.org/docs/current/ddl-inherit.html
    # Nobody sees to it that a foreign table has none: https://www.postgresql.org/docs/current/sql-createforeigntable.html
    filled = [
        {column.name for _, column in columns.get(heap.oid, ()) if column.not_null and heap.filenode is not None}
        for heap in heaps
    ]
    own = [
        replace(column, not_null=column.not_null and all(column.name in each for each in filled))
        for _, column in columns.get(relation.oid, ())
    ]
    return Table(
        name=name,
        schema=relation.schema,
        oid=relation.oid,
        columns=tuple(own),
        foreign_keys=tuple(keys),
        heaps=tuple(
            Heap(
                oid=heap.oid,
                schema=heap.schema,
                name=heap.name,
                filenode=heap.filenode,
                pages=heap.pages,
                attnums=tuple(numbers[heap.oid][column.name] for column in own),
            )
            for heap in heaps
        ),
    )


def _relation(row: tuple[object, ...]) -> Relation:
    oid, schema, name, kind, is_partition, filenode, pages = row
    return Relation(
        _int(oid), str(schema), str(name), str(kind), bool(is_partition),
        None if filenode is None else _int(filenode), max(0, _int(pages)),
    )  # fmt: skip


def _columns(connection: Connection, oids: Iterable[int]) -> dict[int, list[tuple[int, Column]]]:
    columns: dict[int, list[tuple[int, Column]]] = {}
    query = sql.SQL(COLUMNS).format(oid_array(sorted(oids)))
    for oid, number, name, kind, not_null, is_timestamp, takes_no_null in connection.execute(query).fetchall():
        column = Column(str(name), str(kind), bool(not_null), bool(is_timestamp), bool(takes_no_null))
        columns.setdefault(_int(oid), []).append((_int(number), column))
    return columns


def _primary_keys(connection: Connection, names: dict[int, str]) -> dict[str, tuple[str, ...]]:
    query = sql.SQL(PRIMARY_KEYS).format(oid_array(sorted(names)))
    return {names[_int(oid)]: _names(columns) for oid, columns in connection.execute(query).fetchall()}


def _owned_sequences(connection: Connection, names: dict[int, str]) -> dict[str, list[OwnedSequence]]:
    sequences: dict[str, list[OwnedSequence]] = {}
    query = sql.SQL(OWNED_SEQUENCES).format(oid_array(sorted(names)))
    for oid, schema, name, column in connection.execute(query).fetchall():
        full = str(name) if schema == PUBLIC else f"{schema}.{name}"
        sequences.setdefault(names[_int(oid)], []).append(OwnedSequence(full, str(column)))
    return sequences


def _int(value: object) -> int:
    return int(str(value))


def _names(array: object) -> tuple[str, ...]:
    if not isinstance(array, list):
        raise TypeError(f"expected an array of names, got {array!r}")
    return tuple(str(name) for name in array)
