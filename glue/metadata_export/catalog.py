"""What the database holds, as the transaction's snapshot sees it: tables, the heaps of their rows, columns, keys."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column; `type` as PostgreSQL writes it in a table definition."""

    name: str
    type: str
    not_null: bool
    """no row has NULL there, in whatever heap it lies"""
    is_timestamp: bool
    takes_no_null: bool = False
    """declared NOT NULL, though there may be rows from before (NOT VALID), or of a child that takes it"""


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that refer to a row of `parent`, position by position."""

    name: str
    parent: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    enforced: bool = True
    """whether PostgreSQL sees to it that every row that has the key has its parent"""
    heaps: frozenset[int] = frozenset()
    """the child's heaps whose rows have the key; empty: all. Tables do not pass theirs on to those that inherit"""
    parent_heaps: frozenset[int] = frozenset()
    """the parent's heaps that it refers to; empty: all"""
    operators: tuple[str, ...] = ()
    """that compare the parent's column with the child's, position by position; empty: `=`"""
    period: bool = False
    """whether the last column is a PERIOD, which several rows of the parent may cover together"""


@dataclass(frozen=True)
class OwnedSequence:
    """A sequence that goes with a column (serial, identity); its name as that of a table."""

    name: str
    column: str


@dataclass(frozen=True)
class Heap:
    """A relation that rows of a table lie in: the table itself, a partition of it, a child that inherits from it."""

    oid: int
    schema: str
    name: str
    filenode: int | None
    """the file that holds its rows in the snapshot; None for a foreign table"""
    pages: int
    """as the last VACUUM or ANALYZE has counted them"""
    attnums: tuple[int, ...]
    """of the table's columns, position by position: a child may have them in another order"""


@dataclass(frozen=True)
class Table:
    """One table, by the name that its file has: its own in the schema public, else `schema.table`."""

    name: str
    schema: str
    oid: int
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    heaps: tuple[Heap, ...]
    primary_key: tuple[str, ...] = ()
    sequences: tuple[OwnedSequence, ...] = ()

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
    """The tables that an export could hold, and the server they are on.

    Args:
        tables: by name.
        server_version: as PostgreSQL prints it.
        server_version_num: 180004 for 18.4.
        not_tables: what has a name in the schema public but is not a table -> what it is.
        part_of: what is a table of the schema public, but has its rows in another one's file -> that one.
        elsewhere: the tables of other schemas whose rows are in no file, as (schema, name).
    """

    tables: Mapping[str, Table]
    server_version: str
    server_version_num: int
    not_tables: Mapping[str, str]
    part_of: Mapping[str, str]
    elsewhere: tuple[tuple[str, str], ...]
