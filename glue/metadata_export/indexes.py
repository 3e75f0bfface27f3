"""Which indexes the tables of the snapshot have, what PostgreSQL knows of their sizes, and what it reckons work costs.

The snapshot's catalog says what an index was like; nobody promises that it is still there when a statement runs. A
statement that was planned for an index returns the same rows without it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from psycopg import sql

from metadata_export.catalog import Heap, Table
from metadata_export.oids import oid_array
from metadata_export.sizes import PAGE_BYTES
from metadata_export.source import Connection, naming

# A plain btree over whole columns, in the order and collation that `=` and `<` of the columns mean. With indcheckxmin
# an index serves only snapshots younger than itself:
# https://www.postgresql.org/docs/current/catalog-pg-index.html
INDEXES = """
SELECT i.indrelid, c.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS u(attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
             WHERE u.position <= i.indnkeyatts ORDER BY u.position),
       i.indisunique AND i.indimmediate
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE i.indrelid = ANY ({}) AND m.amname = 'btree' AND i.indisvalid AND i.indisready AND i.indislive
  AND i.indpred IS NULL AND i.indexprs IS NULL
  AND (NOT i.indcheckxmin OR pg_catalog.age(i.xmin) > pg_catalog.age(
       (pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::numeric % 4294967296)::text::xid))
  AND NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest(i.indkey), pg_catalog.unnest(i.indclass),
                  pg_catalog.unnest(i.indcollation)) WITH ORDINALITY AS k(attnum, class, collation_oid, position)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                  JOIN pg_catalog.pg_opclass o ON o.oid = k.class
                  WHERE NOT o.opcdefault OR k.collation_oid <> a.attcollation)
ORDER BY i.indrelid, c.relname
"""
STATISTICS = "SELECT oid, reltuples, relpages FROM pg_catalog.pg_class WHERE oid = ANY ({})"
COSTS = """
SELECT name, setting::float8 FROM pg_catalog.pg_settings
WHERE name IN ('seq_page_cost', 'random_page_cost', 'cpu_tuple_cost', 'cpu_index_tuple_cost', 'cpu_operator_cost')
"""
UNKNOWN_ROW_BYTES = 200  # of a table that was never analyzed


@dataclass(frozen=True)
class Index:
    """A btree index: its columns in order."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False

    def serves(self, columns: Iterable[str]) -> bool:
        """Return whether it finds the rows with given values of all these columns, and has no column before them."""
        wanted = set(columns)
        return set(self.columns[: len(wanted)]) == wanted


@dataclass(frozen=True)
class Costs:
    """What PostgreSQL reckons work costs, in its own unit; the defaults are its own.

    https://www.postgresql.org/docs/current/runtime-config-query.html#RUNTIME-CONFIG-QUERY-CONSTANTS
    """

    seq_page_cost: float = 1.0
    random_page_cost: float = 4.0
    cpu_tuple_cost: float = 0.01
    cpu_index_tuple_cost: float = 0.005
    cpu_operator_cost: float = 0.0025


@dataclass(frozen=True)
class Indexes:
    """What can be known of tables without reading them.

    Args:
        by_heap: oid of a heap -> its usable indexes, the narrowest first.
        density: oid of a heap -> rows to a page, for those that were analyzed or vacuumed.
        costs: of the server, as this session has them.
    """

    by_heap: Mapping[int, tuple[Index, ...]] = field(default_factory=dict)
    density: Mapping[int, float] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def serving(self, table: Table, columns: Iterable[str]) -> Index | None:
        """Return an index that finds the rows of a table with given values of these columns; a table of one heap."""
        columns = list(columns)
        return next((each for each in self.of(table) if each.serves(columns)), None)

    def unique(self, table: Table, columns: Iterable[str]) -> bool:
        """Return whether no two rows of a table have the same values in these columns; a table of one heap."""
        wanted = set(columns)
        return any(each.unique and set(each.columns) <= wanted for each in self.of(table))

    def of(self, table: Table) -> tuple[Index, ...]:
        """Return the usable indexes of a table of one heap; none of one that has several."""
        return self.by_heap.get(table.heaps[0].oid, ()) if len(table.heaps) == 1 else ()

    def rows(self, heap: Heap, pages: int) -> float:
        """Return about how many rows so many pages of a heap hold."""
        return pages * self.density.get(heap.oid, PAGE_BYTES / UNKNOWN_ROW_BYTES)


def read_indexes(connection: Connection, tables: Iterable[Table]) -> Indexes:
    """Read what the catalog says of tables, within the connection's transaction; no table is locked."""
    oids = oid_array(sorted({heap.oid for table in tables for heap in table.heaps}))
    with naming("read the indexes", connection):
        found = connection.execute(sql.SQL(INDEXES).format(oids)).fetchall()
        statistics = connection.execute(sql.SQL(STATISTICS).format(oids)).fetchall()
        costs = {str(name): float(str(value)) for name, value in connection.execute(COSTS).fetchall()}
    by_heap: dict[int, list[Index]] = {}
    for oid, name, columns, unique in found:
        if isinstance(columns, list):
            by_heap.setdefault(int(str(oid)), []).append(Index(str(name), tuple(map(str, columns)), bool(unique)))
    return Indexes(
        by_heap={oid: tuple(sorted(each, key=lambda index: len(index.columns))) for oid, each in by_heap.items()},
        density={
            int(str(oid)): float(str(tuples)) / int(str(pages))
            for oid, tuples, pages in statistics
            if float(str(tuples)) > 0 and int(str(pages)) > 0
        },
        costs=Costs(**costs),
    )
