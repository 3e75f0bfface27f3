"""What a live database holds, read for the tests alone: nothing of the product's own reading of the catalog is used."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

import psycopg

COLUMNS = """
SELECT table_name, column_name, is_nullable = 'YES', character_maximum_length,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       EXISTS (SELECT FROM pg_catalog.pg_index i
               WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey))
FROM information_schema.columns c
JOIN pg_catalog.pg_attribute a ON a.attrelid = format('public.%I', table_name)::regclass AND a.attname = column_name
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
ORDER BY table_name, ordinal_position
"""
FOREIGN_KEYS = """
SELECT conrelid::regclass::text, confrelid::regclass::text,
       (SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(conkey) WITH ORDINALITY u(attnum, n)
        JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = u.attnum),
       (SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(confkey) WITH ORDINALITY u(attnum, n)
        JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = u.attnum)
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class LiveColumn:
    """A column; `length` of a varchar, else None; `unique`: a part of some unique key."""

    name: str
    type: str
    nullable: bool
    length: int | None
    unique: bool

    @property
    def is_moment(self) -> bool:
        return self.type.startswith("timestamp")


@dataclass(frozen=True)
class Reference:
    """A foreign key."""

    child: str
    parent: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class LiveCatalog:
    """The tables of the schema public and the foreign keys between them."""

    columns: dict[str, tuple[LiveColumn, ...]]
    references: tuple[Reference, ...]

    def has(self, table: str, *columns: str) -> bool:
        """Return whether there is such a table with all these columns."""
        return set(columns) <= {column.name for column in self.columns.get(table, ())}

    def references_of(self, table: str) -> list[Reference]:
        """Return the foreign keys that a table declares."""
        return [reference for reference in self.references if reference.child == table]

    def parents(self, table: str) -> set[str]:
        """Return the other tables that a table refers to."""
        return {reference.parent for reference in self.references_of(table)} - {table}

    @cached_property
    def load_order(self) -> tuple[str, ...]:
        """Every table after those that it refers to; graphlib.CycleError where that cannot be."""
        return tuple(TopologicalSorter({table: sorted(self.parents(table)) for table in self.columns}).static_order())

    def descendants(self, ancestors: Iterable[str]) -> set[str]:
        """Return the tables that refer to one of these, or to a table that does."""
        found = set(ancestors)
        for table in self.load_order:
            if self.parents(table) & found:
                found.add(table)
        return found - set(ancestors)


def read_live_catalog(connection: psycopg.Connection[Any]) -> LiveCatalog:
    """Read the catalog of a database."""
    columns: dict[str, list[LiveColumn]] = {}
    for table, name, nullable, length, kind, unique in connection.execute(COLUMNS):
        columns.setdefault(table, []).append(LiveColumn(name, kind, nullable, length, unique))
    rows = connection.execute(FOREIGN_KEYS).fetchall()
    references = {
        Reference(child.strip('"'), parent.strip('"'), tuple(own), tuple(theirs)) for child, parent, own, theirs in rows
    }
    return LiveCatalog(
        columns={table: tuple(found) for table, found in columns.items()},
        references=tuple(sorted(references, key=repr)),
    )
