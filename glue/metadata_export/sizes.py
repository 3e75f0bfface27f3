"""How large tables are, by which they are cut into chunks. An estimate is good enough: no row depends on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from metadata_export.catalog import Heap, Table
from metadata_export.errors import SourceError
from metadata_export.log import warning
from metadata_export.oids import oid_array
from metadata_export.parts import MIB
from metadata_export.source import Connection, naming, savepoint

PAGE_BYTES = 8192
UNKNOWN_BYTES = 64 * MIB  # too much to be collected in memory: what nobody has measured may be of any size
# NULL: it has gone since the snapshot.
SIZES = """
SELECT o.oid, COALESCE(pg_catalog.pg_table_size(o.oid), 0),
       COALESCE(pg_catalog.pg_relation_size(o.oid), 0) / pg_catalog.current_setting('block_size')::int
FROM pg_catalog.unnest({}) AS o (oid)
"""


@dataclass(frozen=True)
class Size:
    """Of one heap: its pages, and its bytes on disk with those of TOAST."""

    pages: int
    total_bytes: int


def measure(connection: Connection, tables: Iterable[Table]) -> Mapping[int, Size]:
    """Return the size of each heap of these tables, by oid.

    Asking for a size means waiting for whoever has locked the table. When that takes too long, VACUUM's last count has
    to do: the other tables need not fail with the locked one.
    """
    heaps = [heap for table in tables for heap in table.heaps]
    query = sql.SQL(SIZES).format(oid_array(heap.oid for heap in heaps))
    try:
        with naming("ask for the sizes of tables"), savepoint(connection):
            rows = connection.execute(query).fetchall()
    except SourceError as error:
        if error.transient:
            raise
        warning(f"{error}: going by what VACUUM has counted")
        return {heap.oid: _counted(heap) for heap in heaps}
    sizes = {int(str(oid)): Size(int(str(pages)), int(str(total_bytes))) for oid, total_bytes, pages in rows}
    # A foreign table has no file here, and may be of any size elsewhere.
    return {heap.oid: sizes[heap.oid] if heap.filenode else _counted(heap) for heap in heaps}


def _counted(heap: Heap) -> Size:
    return Size(heap.pages, max(heap.pages * PAGE_BYTES, UNKNOWN_BYTES))  # VACUUM counts no TOAST
