"""The COPY statements that read a table by index: from dag runs, or by slices of time.

Each run and each moment is in one statement. A statement returns about as many bytes as a range of pages holds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from psycopg import sql

from metadata_export import statements
from metadata_export.catalog import Catalog, Column, Table
from metadata_export.from_clause import aliased
from metadata_export.heavy_runs import HeavyRun
from metadata_export.identity import changed_query
from metadata_export.planner import BY_HASH, BY_INDEX, BY_LOOSE_SCAN
from metadata_export.row_filter import RowFilter, row_filter
from metadata_export.run_set import RunSet
from metadata_export.statements import MAXIMUM_CHUNKS, Statement, copy_of, page_conditions
from metadata_export.ways import Way
from metadata_export.window import Window

MAXIMUM_IDS = 100_000  # in a statement: some hundred kilobytes of text


@dataclass(frozen=True)
class Slices:
    """The moments of a table's one date from the cutoff to the newest, cut into equal slices.

    Args:
        newest: a later moment belongs to the last slice.
    """

    column: Column
    cutoff: datetime
    newest: datetime
    number: int

    def bounds(self) -> list[tuple[datetime, datetime | None]]:
        """Return [from, to) of each slice; the last one is open, so that no moment is missed."""
        seconds = max((self.newest - self.cutoff).total_seconds(), 0.0)
        starts = {self.cutoff + timedelta(seconds=seconds * place / self.number) for place in range(self.number)}
        ordered = sorted(starts | {self.cutoff})
        return list(zip(ordered, [*ordered[1:], None], strict=True))


def statements_by_run(
    way: Way, selected: sql.Composable, runs: RunSet, bytes_per_run: float, heavy: Sequence[HeavyRun], window: Window
) -> tuple[Statement, ...]:
    """Return the statements of a table's rows of these runs.

    Args:
        selected: what is selected.
        bytes_per_run: what the rows of one run take on disk, on average.
        heavy: those with so many rows that each gets statements of its own.
    """
    light = runs.without(each.id for each in heavy) if heavy else runs
    size = max(1, min(MAXIMUM_IDS, int(statements.CHUNK_BYTES / max(bytes_per_run, 1.0))))
    size = max(size, math.ceil(len(light.ids) / MAXIMUM_CHUNKS))
    # No run at all takes a statement, too: it makes the file.
    batches = light.batches(size) or ([] if heavy else [light])
    texts = [_by_index(way, selected, batch, []) for batch in batches]
    texts += [text for each in heavy for text in _of_heavy_run(way, selected, each, window)]
    return tuple(texts)


def statements_by_time(
    table: Table, selected: sql.Composable, rows: RowFilter, slices: Slices, catalog: Catalog
) -> tuple[Statement, ...]:
    """Return the statements of a table's rows of these slices, and of those without a date.

    Args:
        rows: which rows without a date are exported.
    """
    moment = sql.Identifier("t0", slices.column.name)
    conditions = [_from_to(moment, start, end) for start, end in reversed(slices.bounds())]
    if not slices.column.not_null:
        whole = sql.SQL("({})").format(rows.condition or sql.SQL("true"))
        conditions.append([sql.SQL("{} IS NULL").format(moment), whole])
    [heap] = table.heaps
    others = [catalog.tables[name] for name in sorted(rows.tables - {table.name})]
    changed = changed_query(others, (table, heap))
    return tuple(Statement(copy_of(selected, aliased(heap), each), changed, BY_INDEX) for each in conditions)


def _by_index(way: Way, selected: sql.Composable, runs: RunSet, pages: Sequence[sql.Composable]) -> Statement:
    [heap] = way.table.heaps
    changed = changed_query(way.others, (way.table, heap))
    forbidden = BY_LOOSE_SCAN if way.loose else BY_INDEX
    return Statement(copy_of(selected, way.rows(runs, pages)), changed, forbidden)


def _of_heavy_run(way: Way, selected: sql.Composable, run: HeavyRun, window: Window) -> Iterator[Statement]:
    """Yield the statements of one run: between the bounds by pages, and what lies before and behind them by index.

    By index alone each of them would fetch all rows of the run, to throw most away.
    """
    [heap] = way.table.heaps
    rows = row_filter(replace(window, runs=run.alone), way.table)
    others = [window.catalog.tables[name] for name in sorted(rows.tables - {way.table.name})]
    whole = sql.SQL("({})").format(rows.condition or sql.SQL("true"))
    yield _by_index(way, selected, run.alone, page_conditions(0, run.bounds[0]))
    for first, end in pairwise(run.bounds):
        copy = copy_of(selected, aliased(heap), [*page_conditions(first, end), whole])
        yield Statement(copy, changed_query(others, (way.table, heap)), BY_HASH)
    yield _by_index(way, selected, run.alone, page_conditions(run.bounds[-1], None))


def _from_to(moment: sql.Composable, start: datetime, end: datetime | None) -> list[sql.Composable]:
    from_start = sql.SQL("{} >= {}").format(moment, _literal(start))
    return [from_start] if end is None else [from_start, sql.SQL("{} < {}").format(moment, _literal(end))]


def _literal(moment: datetime) -> sql.Composable:
    return sql.SQL("{}::timestamptz").format(sql.Literal(moment.astimezone(UTC).isoformat()))
