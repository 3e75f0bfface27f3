"""Reads the whole schema, in the order in which a database is made from it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from psycopg import sql

from metadata_export.errors import SourceError
from metadata_export.oids import oid_array
from metadata_export.schema import constraints, tables, types
from metadata_export.schema.entries import ROWS, Entry
from metadata_export.schema.left_out import LEFT_OUT
from metadata_export.schema.order import DEPENDENCIES, PARTS, Object, in_order, needs
from metadata_export.schema.sequences import Sequence, read_sequences, sequence_entry
from metadata_export.source import CHANGED, Connection, naming

# As in the session that has read the schema: every name in it is complete. What a function's body refers to may come
# later than the function.
SETTINGS = Entry(
    "pre-data",
    "settings",
    "",
    "",
    "SET client_encoding = 'UTF8';\n"
    "SET standard_conforming_strings = on;\n"
    "SET check_function_bodies = off;\n"
    "SELECT pg_catalog.set_config('search_path', '', false);",
)


# PostgreSQL's own functions print names as they are now: with those of the snapshot beside them nothing would fit.
RENAMED = """
SELECT DISTINCT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'S'
WHERE c.oid = ANY ({})
  AND (pg_identify_object_as_address('pg_class'::regclass, c.oid, COALESCE(a.attnum, 0))).object_names
      IS DISTINCT FROM array_remove(ARRAY[n.nspname, c.relname, a.attname]::text[], NULL)
ORDER BY 1
"""
SHOWN = 5
READINGS = 5


class _ChangedError(SourceError):
    """Something is not what the snapshot has, or went between two queries."""


@dataclass(frozen=True)
class Schema:
    """The schema of a database; ``left_out`` names what is there and no entry makes."""

    entries: tuple[Entry, ...]
    sequences: tuple[Sequence, ...]
    left_out: tuple[str, ...]


def read_schema(connection: Connection) -> Schema:
    """Return the schema of the database, within the connection's transaction.

    No table is locked. Rows of the catalog are those of the snapshot; what PostgreSQL's own functions say of them
    (pg_get_constraintdef) is as of now, and nothing where the object has gone since. A table that goes while it is read
    (airflow db clean drops one every moment) is not in it, as one that went before: it is read again.

    Raises:
        SourceError: the database refuses, or the schema has changed since the snapshot.
    """
    for _ in range(READINGS - 1):
        with suppress(_ChangedError):
            return _read(connection)
    return _read(connection)


def _read(connection: Connection) -> Schema:
    with naming("read the schema", connection):
        schemas, extensions = _made(connection, types.SCHEMAS), _made(connection, types.EXTENSIONS)
        objects: dict[Object, Entry] = {}
        for query in (*types.QUERIES, tables.SEQUENCES, tables.TABLES):
            objects |= _made(connection, query)
        needed = needs(objects, dict(_pairs(connection, PARTS)), _pairs(connection, DEPENDENCIES))
        partitions = _made(connection, tables.PARTITIONS)
        after = [_after(row) for query in constraints.QUERIES for row in connection.execute(query.encode()).fetchall()]
        _check_names(connection, objects)
        named = sql.SQL(LEFT_OUT).format(oid_array(oid for _, oid in extensions))
        left_out = tuple(str(told) for (told,) in connection.execute(named).fetchall() if told is not None)
    needed_ones = {each for others in needed.values() for each in others}
    ordered = [
        replace(objects[each], shared=True) if objects[each].table and each in needed_ones else objects[each]
        for each in in_order(needed)
    ]
    before = [*schemas.values(), *extensions.values(), *ordered, *partitions.values()]
    sequences = tuple(read_sequences(connection))
    states = [sequence_entry(connection, sequence) for sequence in sequences]
    return Schema((SETTINGS, *before, *states, ROWS, *after), sequences, left_out)


def _check_names(connection: Connection, objects: Mapping[Object, Entry]) -> None:
    """Raise SourceError when a table, a column or a sequence has now another name than in the snapshot, or none."""
    made = oid_array(oid for (_, oid), entry in objects.items() if entry.kind in ("table", "sequence"))
    changed = [str(row[0]) for row in connection.execute(sql.SQL(RENAMED).format(made)).fetchall()]
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        raise _ChangedError(f"cannot read the schema: {', '.join(changed[:SHOWN])}{more}: {CHANGED}")


def _made(connection: Connection, query: str) -> dict[Object, Entry]:
    """Return what a query tells of objects that are made before rows are loaded."""
    found: dict[Object, Entry] = {}
    for catalog, oid, kind, schema, name, table, statements, *shared in connection.execute(query.encode()).fetchall():
        entry = _entry("pre-data", (kind, schema, name, table, statements))
        found[int(str(catalog)), int(str(oid))] = replace(entry, shared=any(shared))
    return found


def _after(row: tuple[object, ...]) -> Entry:
    return _entry("post-data", row)


def _entry(section: str, row: tuple[object, ...]) -> Entry:
    kind, schema, name, table, statements = row
    if statements is None:
        raise _ChangedError(f"cannot read the schema: {kind} {name}: {CHANGED}")
    return Entry(section, str(kind), str(schema), str(name), str(statements), None if table is None else str(table))


def _pairs(connection: Connection, query: str) -> Iterator[tuple[Object, Object]]:
    for row in connection.execute(query.encode()).fetchall():
        catalog, oid, other_catalog, other_oid = (int(str(value)) for value in row)
        yield (catalog, oid), (other_catalog, other_oid)
