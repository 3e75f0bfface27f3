"""The foreign keys of the tables: whichever of their partitions and children have them, and refer to whichever."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from psycopg import sql

from metadata_export.catalog import ForeignKey
from metadata_export.heaps import Family, Relation
from metadata_export.oids import oid_array
from metadata_export.source import Connection

REFERENCES = "SELECT conrelid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conparentid = 0"
FOREIGN_KEYS = """
SELECT k.conrelid, k.conname, k.confrelid,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.position),
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.position),
       k.convalidated,
       ARRAY(SELECT CASE WHEN n.nspname = 'pg_catalog' AND o.oprname = '=' THEN '='
                         ELSE pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) END
             FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY AS u(operator, position)
             JOIN pg_catalog.pg_operator o ON o.oid = u.operator
             JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.position),
       COALESCE((pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean, false)
FROM pg_catalog.pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY ({0}) AND k.confrelid = ANY ({0})
ORDER BY k.conrelid, k.conname
"""

Columns = Mapping[str, Sequence[str]]
"""table -> the names of its columns"""


def read_references(connection: Connection) -> list[tuple[int, int]]:
    """Return which relations refer to which, in the whole database, as (oid of the child, oid of the parent)."""
    return [(int(str(child)), int(str(parent))) for child, parent in connection.execute(REFERENCES).fetchall()]


def read_foreign_keys(
    connection: Connection, family: Family, tables: Mapping[str, Relation], columns: Columns
) -> dict[str, list[ForeignKey]]:
    """Return table -> its foreign keys to any of the tables, those of its partitions and children included.

    Only those that the table itself has have a name. One on a column that only a child has is left out: the rows of the
    table do not have that column.
    """
    members = {name: family.members(table) for name, table in tables.items()}
    relations = {each.oid: each for found in members.values() for each in found}
    owners = _owners(tables, members)
    heaps = {name: frozenset(each.oid for each in found if each.kind != "p") for name, found in members.items()}
    keys: dict[str, list[ForeignKey]] = {}
    for child, parent, key in _constraints(connection, relations):
        for name in owners[child]:
            other = owners[parent][0]
            own, theirs = family.under_key(relations[child]), family.under_key(relations[parent])
            has_rows = own or not heaps[name]
            if has_rows and {*key.columns} <= {*columns[name]} and {*key.parent_columns} <= {*columns[other]}:
                itself = child == tables[name].oid and parent == tables[other].oid
                made = replace(
                    key,
                    name=key.name if itself else "",
                    parent=other,
                    heaps=_unless_all(own, heaps[name]),
                    parent_heaps=_unless_all(theirs, heaps[other]),
                )
                keys.setdefault(name, []).append(made)
    return {name: list(_merged(found, heaps[name])) for name, found in keys.items()}


def _owners(tables: Mapping[str, Relation], members: Mapping[str, Sequence[Relation]]) -> dict[int, list[str]]:
    """Return the tables that a relation is a part of, by its oid; itself first."""
    owners: dict[int, list[str]] = {}
    for name, found in members.items():
        for each in found:
            owners.setdefault(each.oid, []).append(name)
    return {oid: sorted(names, key=lambda name: tables[name].oid != oid) for oid, names in owners.items()}


def _constraints(connection: Connection, relations: Iterable[int]) -> Iterator[tuple[int, int, ForeignKey]]:
    """Yield the oid of the child, that of the parent, and the key, its parent by no name yet."""
    query = sql.SQL(FOREIGN_KEYS).format(oid_array(sorted(relations)))
    for child, name, parent, own, theirs, validated, operators, period in connection.execute(query).fetchall():
        compared = _texts(operators)
        key = ForeignKey(
            name=str(name),
            parent="",
            columns=_texts(own),
            parent_columns=_texts(theirs),
            enforced=bool(validated),
            operators=() if set(compared) == {"="} else compared,
            period=bool(period),
        )
        yield int(str(child)), int(str(parent)), key


def _merged(keys: Iterable[ForeignKey], heaps: frozenset[int]) -> Iterator[ForeignKey]:
    """Yield the keys, those that are the same in several heaps as one."""
    same: dict[ForeignKey, list[ForeignKey]] = {}
    for key in keys:
        kind = replace(key, name="", enforced=True, heaps=frozenset()) if key.heaps else key
        same.setdefault(kind, []).append(key)
    for each in same.values():
        all_heaps = frozenset[int]().union(*(key.heaps for key in each))
        yield replace(each[0], enforced=all(key.enforced for key in each), heaps=_unless_all(all_heaps, heaps))


def _unless_all(some: frozenset[int], heaps: frozenset[int]) -> frozenset[int]:
    return frozenset() if some >= heaps else some


def _texts(array: object) -> tuple[str, ...]:
    if not isinstance(array, list):
        raise TypeError(f"expected an array, got {array!r}")
    return tuple(str(each) for each in array)
