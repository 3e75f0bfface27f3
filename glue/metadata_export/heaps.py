"""Which relations hold the rows of a table: what a plain SELECT on it reads, be it partitioned or inherited from.

They are decided once, from the snapshot's own catalog, and each is read with ONLY. PostgreSQL itself would look up
partitions and children at the moment of each statement: one that is attached or detached meanwhile would come or go.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

PUBLIC = "public"
TABLE_KINDS = "rp"  # ordinary and partitioned
OTHER_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}

StandsAlone = Callable[[str], bool]
"""whether a table of the schema public that inherits from another one has a file of its own, or was excluded by name"""


@dataclass(frozen=True)
class Relation:
    """A row of pg_class. `kind`: r ordinary, p partitioned, f foreign, v view, m materialized view."""

    oid: int
    schema: str
    name: str
    kind: str
    is_partition: bool
    filenode: int | None
    pages: int


class Family:
    """All relations of a database, and which are partitions or children of which."""

    def __init__(
        self,
        relations: Iterable[Relation],
        links: Iterable[tuple[int, int]],
        stands_alone: StandsAlone,
        excluded: Collection[str] = (),
    ) -> None:
        """Take links as (oid of the parent, oid of the child); links to unknown relations do not count.

        Args:
            excluded: names, with schema or of public, of what is left out of the table that it is a part of.
        """
        self.relations = tuple(relations)
        self._stands_alone = stands_alone
        self._excluded = frozenset(excluded)
        self._children: dict[int, list[Relation]] = {}
        self._parents: dict[int, list[Relation]] = {}
        known = {relation.oid: relation for relation in self.relations}
        for parent, child in links:
            if parent in known and child in known:
                self._children.setdefault(parent, []).append(known[child])
                self._parents.setdefault(child, []).append(known[parent])

    def heaps(self, table: Relation) -> list[Relation]:
        """Return the relations that hold the rows of a table, each once, less those with a file of their own."""
        return [relation for relation in self.members(table) if relation.kind != "p"]

    def members(self, table: Relation) -> list[Relation]:
        """Return what a table consists of: itself, partitions of every level, children without a file of their own."""
        found: dict[int, Relation] = {}
        waiting = [table]
        while waiting:
            relation = waiting.pop(0)
            if relation.oid not in found:
                found[relation.oid] = relation
                waiting += [child for child in self._children.get(relation.oid, ()) if not self._is_apart(child)]
        return list(found.values())

    def under_key(self, relation: Relation) -> frozenset[int]:
        """Return the heaps that a foreign key of a relation, or one that refers to it, is about.

        Partitions have their parent's keys, what inherits has not:
        https://www.postgresql.org/docs/current/ddl-inherit.html#DDL-INHERIT-CAVEATS
        """
        members = self.members(relation) if relation.kind == "p" else [relation]
        return frozenset(each.oid for each in members if each.kind != "p")

    def consulted(self, own: dict[str, Relation], references: Iterable[tuple[int, int]]) -> dict[str, Relation]:
        """Return the tables of other schemas that have no file, but decide about rows that refer to them, by name.

        Args:
            own: what has a file.
            references: the foreign keys of the database, as (oid of the child, oid of the parent).
        """
        found: dict[str, Relation] = {}
        known = {each.oid: each for each in self.relations}
        held = {each.oid for table in own.values() for each in self.members(table)}
        references = list(references)
        while (
            parents := {parent for child, parent in references if child in held and parent not in held} & known.keys()
        ):
            for root in map(self._root, map(known.__getitem__, sorted(parents))):
                found[f"{root.schema}.{root.name}"] = root
                held |= {each.oid for each in self.members(root)}
            held |= parents
        return {name: root for name, root in found.items() if name not in own}

    def _root(self, relation: Relation) -> Relation:
        """Return the partitioned table that a relation is a partition of, on whatever level; itself otherwise."""
        parents = self._parents.get(relation.oid, ()) if relation.is_partition else ()
        return self._root(parents[0]) if parents else relation

    def own_files(self, any_schema: Collection[str]) -> dict[str, Relation]:
        """Return what has a file of its own, by its name.

        Args:
            any_schema: tables that are exported from whatever schemas they are in, as `schema.table`, or from one.
        """
        found = {each.name: each for each in self.relations if self._is_public_table(each) and not self._owner(each)}
        elsewhere = {f"{each.schema}.{each.name}": each for each in self.relations if each.schema != PUBLIC}
        named = {name: each for name, each in elsewhere.items() if self._is_free(each) and each.name in any_schema}
        # One that has the name of the table that it inherits from is a part of that.
        whole = [*found.values(), *named.values()]
        parts = {each.oid for table in whole for each in self.members(table) if each is not table}
        named = {name: each for name, each in named.items() if each.oid not in parts}
        named |= {name: each for name, each in elsewhere.items() if self._is_free(each) and name in any_schema}
        return named | found

    def not_tables(self) -> dict[str, str]:
        """Return what has a name in the schema public, but is not a table: name -> what it is."""
        return {
            each.name: OTHER_KINDS[each.kind]
            for each in self.relations
            if each.schema == PUBLIC and each.kind in OTHER_KINDS and not self._owner(each)
        }

    def part_of(self) -> dict[str, str]:
        """Return the relations of the schema public whose rows are in the file of another table: name -> that table."""
        owners = {each.name: self._owner(each) for each in self.relations if each.schema == PUBLIC}
        return {name: owner.name for name, owner in owners.items() if owner}

    def elsewhere(self, own: dict[str, Relation]) -> Iterator[tuple[str, str]]:
        """Yield the tables of other schemas whose rows are in none of these files, as (schema, name)."""
        held = {heap.oid for table in own.values() for heap in (table, *self.heaps(table))}
        for each in self.relations:
            if each.schema != PUBLIC and each.oid not in held and self._is_free(each):
                yield each.schema, each.name

    def _owner(self, relation: Relation) -> Relation | None:
        """Return the table of the schema public in whose file the rows of a relation are; None: they are its own."""
        if self._is_apart(relation):
            return None
        for parent in self._parents.get(relation.oid, ()):
            owner = self._owner(parent) or (parent if self._is_public_table(parent) else None)
            if owner:
                return owner
        return None

    def _is_apart(self, relation: Relation) -> bool:
        # A bare name is one of public: what only has that name elsewhere may be a part of any table.
        bare = {relation.name} if relation.schema == PUBLIC else set()
        if self._excluded & {f"{relation.schema}.{relation.name}", *bare}:
            return True
        return self._is_public_table(relation) and not relation.is_partition and self._stands_alone(relation.name)

    def _is_public_table(self, relation: Relation) -> bool:
        return relation.schema == PUBLIC and relation.kind in TABLE_KINDS

    def _is_free(self, relation: Relation) -> bool:
        return relation.kind in TABLE_KINDS and not relation.is_partition
