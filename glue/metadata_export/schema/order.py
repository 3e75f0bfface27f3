"""What must be made before what, from PostgreSQL's own record of dependencies."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

Object = tuple[int, int]
"""catalog, oid"""

# Parts of an object are recorded as objects of their own: array and row types, defaults, a domain's checks.
PARTS = """
SELECT 'pg_type'::regclass::oid, t.typarray, 'pg_type'::regclass::oid, t.oid FROM pg_type t WHERE t.typarray <> 0
UNION ALL
SELECT 'pg_class'::regclass::oid, c.oid, 'pg_type'::regclass, c.reltype FROM pg_class c WHERE c.relkind = 'c'
UNION ALL
SELECT 'pg_type'::regclass, c.reltype, 'pg_class'::regclass, c.oid
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.reltype <> 0
UNION ALL
SELECT 'pg_attrdef'::regclass::oid, d.oid, 'pg_class'::regclass, d.adrelid FROM pg_attrdef d
UNION ALL
SELECT 'pg_constraint'::regclass::oid, k.oid, 'pg_type'::regclass, k.contypid FROM pg_constraint k WHERE k.contypid <> 0
UNION ALL
SELECT 'pg_type'::regclass, d.objid, d.refclassid, d.refobjid FROM pg_depend d
WHERE d.classid = 'pg_type'::regclass AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i'
"""
# Sequences come before the tables that own them; the table says so when it is made.
DEPENDENCIES = """
SELECT d.classid, d.objid, d.refclassid, d.refobjid FROM pg_depend d
WHERE d.deptype IN ('n', 'a') AND d.refobjid >= 16384 AND NOT (
    d.classid = 'pg_class'::regclass AND d.deptype = 'a'
    AND EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind = 'S'))
"""


def needs(
    objects: Iterable[Object], parts: Mapping[Object, Object], dependencies: Iterable[tuple[Object, Object]]
) -> dict[Object, set[Object]]:
    """Return for each object those of the others that must be there before it.

    Args:
        parts: part -> what it is a part of.
        dependencies: as (what depends, on what).
    """
    found: dict[Object, set[Object]] = {each: set() for each in objects}
    for dependent, needed in dependencies:
        one, other = _whole(dependent, parts, found), _whole(needed, parts, found)
        if one in found and other in found and one != other:
            found[one].add(other)
    return found


def in_order(needed: Mapping[Object, set[Object]]) -> list[Object]:
    """Return the objects, each after those that it needs; the given order otherwise.

    Objects that need each other (a function of a table whose default calls it) come in some order.
    """
    graph = {each: sorted(others, key=list(needed).index) for each, others in needed.items()}
    while True:
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            before, after = error.args[1][:2]
            graph[after].remove(before)


def _whole(part: Object, parts: Mapping[Object, Object], objects: Mapping[Object, object]) -> Object:
    seen = set()
    while part not in objects and part in parts and part not in seen:
        seen.add(part)
        part = parts[part]
    return part
