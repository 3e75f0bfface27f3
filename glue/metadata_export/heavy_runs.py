"""Dag runs that hold much of a table by themselves: a run with a million mapped task instances must not be one chunk.

They are found in a sample of constant size, so one that is missed is not much larger than a chunk, or is one in a table
of hundreds of gigabytes. Nothing but the size of a chunk depends on it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from metadata_export import statements
from metadata_export.catalog import Table
from metadata_export.from_clause import heap_name, relation
from metadata_export.identity import changed_query, check_unchanged
from metadata_export.run_set import RunSet, run_set
from metadata_export.sizes import Size
from metadata_export.source import Connection, naming, savepoint
from metadata_export.window import RUN_KEY, RUN_TABLE, Window

SAMPLE_PAGES = 200
LEAST_ROWS, LEAST_PAGES = 8, 3  # of a run in the sample: less may be chance
HEAVY_CHUNKS = 2
SAMPLE = """
SELECT (SELECT {id} FROM {runs} AS r WHERE (r.dag_id, r.run_id) = (s.dag_id, s.run_id) LIMIT 1), s.positions
FROM (SELECT t0.dag_id, t0.run_id, pg_catalog.array_agg(t0.ctid::text) AS positions
      FROM {heap} AS t0 TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)
      GROUP BY t0.dag_id, t0.run_id HAVING count(*) >= {least}) AS s
"""


@dataclass(frozen=True)
class HeavyRun:
    """A run whose rows take several chunks.

    Args:
        alone: the set of this run only.
        bounds: pages of the heap, ascending, that divide its rows evenly; one at least.
    """

    alone: RunSet
    bounds: tuple[int, ...]

    @property
    def id(self) -> object:
        """The run's id."""
        return self.alone.ids[0]


def find_heavy_runs(
    connection: Connection, window: Window, table: Table, size: Size, rows: float
) -> tuple[HeavyRun, ...]:
    """Look for runs that hold several chunks of a table's bytes, within the connection's transaction.

    Only in a table that has the run's key in its rows. No table stays locked.

    Args:
        rows: of the table, about.
    """
    runs = window.catalog.tables[RUN_TABLE]
    keyed = table.has(*RUN_KEY) and table.name not in window.by_key_only
    if not keyed or table is runs or size.total_bytes < HEAVY_CHUNKS * statements.CHUNK_BYTES:
        return ()
    share = min(1.0, SAMPLE_PAGES / max(size.pages, 1))
    query = sql.SQL(SAMPLE).format(
        id=window.run_id("r"),
        runs=relation(runs),
        heap=heap_name(table.heaps[0]),
        percent=sql.Literal(100 * share),
        least=sql.Literal(LEAST_ROWS),
    )
    action = f"look for dag runs that hold a large part of {table.name}"
    with naming(action), savepoint(connection):
        found = connection.execute(query).fetchall()
        check_unchanged(connection, changed_query([table, runs]), action)
    bytes_per_row = size.total_bytes / max(rows * share, 1.0)
    return tuple(
        HeavyRun(run_set([run], window.run_id_type), bounds(pages, len(pages) * bytes_per_row))
        for run, pages in ((run, _pages(positions)) for run, positions in found)
        if run is not None
        and len(set(pages)) >= LEAST_PAGES
        and len(pages) * bytes_per_row >= HEAVY_CHUNKS * statements.CHUNK_BYTES
    )


def bounds(pages: Sequence[int], whole: float) -> tuple[int, ...]:
    """Return the pages that divide rows into pieces of about a chunk, from the first to behind the last.

    Args:
        pages: of a sample of the rows.
        whole: bytes of all rows.
    """
    ordered = sorted(pages)
    pieces = max(1, math.ceil(whole / statements.CHUNK_BYTES))
    return tuple(sorted({*(ordered[len(ordered) * piece // pieces] for piece in range(pieces)), ordered[-1] + 1}))


def _pages(positions: object) -> list[int]:
    texts = positions if isinstance(positions, list) else []
    return [int(str(text)[1:].partition(",")[0]) for text in texts]
