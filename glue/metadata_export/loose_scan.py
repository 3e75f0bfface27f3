"""Finds rows by the key of their dag run in an index that has other columns between the two of that key.

`xcom` has (dag_id, task_id, run_id, map_index), for its foreign key to the task instance. There are few values of the
columns before run_id, and each leads to the next one: one look into the index per value, however many rows there are.
With each of them the runs of that dag are looked up, one after the other: they are near each other in the index.
https://wiki.postgresql.org/wiki/Loose_indexscan

`run_id = ANY (array)` would be a third less work since PostgreSQL 17, but is not always looked up by index:
PostgreSQL takes the columns before it for more telling than they are, and then reads all rows of a task to throw most
of them away.
"""

from collections.abc import Sequence

from psycopg import sql

from metadata_export.catalog import Table
from metadata_export.from_clause import relation
from metadata_export.window import RUN_KEY, Condition

STARTS = """
starts AS (
    (SELECT {columns} FROM {relation} AS x ORDER BY {columns} LIMIT 1)
    UNION ALL
    SELECT n.* FROM starts CROSS JOIN LATERAL (
        SELECT {columns} FROM {relation} AS x WHERE ({columns}) > ({found}) ORDER BY {columns} LIMIT 1
    ) AS n
)
"""
COUNT = "SELECT count(*) FROM (WITH RECURSIVE {starts} SELECT FROM starts LIMIT {limit}) AS s"
ROWS = """
(WITH RECURSIVE {starts}
 SELECT {alias}.* FROM starts
 JOIN (SELECT {run}.dag_id, pg_catalog.array_agg({run}.run_id) AS run_ids FROM {runs} GROUP BY {run}.dag_id) AS dags
   ON dags.dag_id = starts.dag_id
 CROSS JOIN LATERAL pg_catalog.unnest(dags.run_ids) AS {run} (run_id)
 CROSS JOIN LATERAL {child}) AS {alias}
"""
DAG_ID, RUN_ID = RUN_KEY


def columns_between(columns: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns of an index between the two of the run's key, in this order; None where it does not begin so.

    None either where there is no column between them: then the index serves the key itself.
    """
    if not columns or columns[0] != DAG_ID or RUN_ID not in columns[2:]:
        return None
    return tuple(columns[1 : columns.index(RUN_ID)])


def count_starts(table: Table, between: Sequence[str], limit: int) -> sql.Composed:
    """Return the query for how many values there are of the columns before run_id, counted up to `limit`."""
    return sql.SQL(COUNT).format(starts=_starts(table, between), limit=sql.Literal(limit))


def of_run_and_start(between: Sequence[str], alias: str, run: str) -> Condition:
    """Return whether a row begins with the values of one start, and belongs to one run.

    Args:
        alias, run: of the row and of the run.
    """
    pairs = [(column, "starts", column) for column in (DAG_ID, *between)] + [(RUN_ID, run, RUN_ID)]
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(alias, column), sql.Identifier(other, of_other))
        for column, other, of_other in pairs
    )


def rows_by_start(
    table: Table, between: Sequence[str], runs: Condition, run: str, child: Condition, alias: str
) -> Condition:
    """Return what stands behind FROM for the rows of a table that belong to runs.

    Args:
        runs: what stands behind FROM for the runs, under the alias `run`.
        child: the rows of one start and one run, see `of_run_and_start`.
        alias: of `child`, and of the whole.
    """
    return sql.SQL(ROWS).format(
        starts=_starts(table, between),
        runs=runs,
        run=sql.Identifier(run),
        child=child,
        alias=sql.Identifier(alias),
    )


def _starts(table: Table, between: Sequence[str]) -> Condition:
    columns = (DAG_ID, *between)
    return sql.SQL(STARTS).format(
        columns=sql.SQL(", ").join(sql.Identifier("x", column) for column in columns),
        found=sql.SQL(", ").join(sql.Identifier("starts", column) for column in columns),
        relation=relation(table),
    )
