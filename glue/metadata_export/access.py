"""How the rows of a table are read: by index where few of them are in the window, else by ranges of pages.

The choice takes the costs of work from PostgreSQL, but estimates rows itself: PostgreSQL assumes that the two columns
of a key have nothing to do with each other, and so expects far too few rows. Both ways give the same rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from psycopg import sql

from metadata_export import statements
from metadata_export.catalog import Column, Table
from metadata_export.errors import SourceError
from metadata_export.from_clause import heap_name
from metadata_export.heavy_runs import find_heavy_runs
from metadata_export.index_statements import Slices, statements_by_run, statements_by_time
from metadata_export.indexes import Indexes
from metadata_export.log import info, warning
from metadata_export.loose_scan import count_starts
from metadata_export.mask import select_list
from metadata_export.planner import BY_LOOSE_SCAN, pinned
from metadata_export.row_filter import RowFilter
from metadata_export.selected_runs import SelectedRuns
from metadata_export.sizes import PAGE_BYTES, Size
from metadata_export.source import Connection, naming, savepoint
from metadata_export.statements import MAXIMUM_CHUNKS, Statement, copy_statements, total_bytes
from metadata_export.ways import Hop, Way, ways_from_runs
from metadata_export.window import RUN_TABLE, Window

RUN_BYTES = 200  # of a dag run, where nobody has counted the pages of dag_run
DESCENT_OPERATORS = 200  # of one look into an index: four levels at the fifty that PostgreSQL reckons for each
ORDERED_OPERATORS = 100  # of one look after another in the order of the index: they share most of the way down
MAXIMUM_STARTS = 20_000  # of a loose scan: each is a look into the index in every statement
CHECKED_OPERATORS = 3  # of a row that is read to be kept or thrown away
SPREAD = 2  # pages that are fetched for each page that the rows would fill
FARTHEST = timedelta(days=36_500)
# From the ends of the index. A moment may be infinite, or of a year that Python does not know.
ENDS = """
SELECT EXTRACT(epoch FROM LEAST(GREATEST(e.oldest, {floor}), {ceiling}))::float8,
       EXTRACT(epoch FROM LEAST(GREATEST(e.newest, {floor}), {ceiling}))::float8
FROM (SELECT pg_catalog.min({column}) AS oldest, pg_catalog.max({column}) AS newest FROM {heap} AS t0) AS e
WHERE e.newest IS NOT NULL
"""


@dataclass(frozen=True)
class Access:
    """The way that was chosen.

    Args:
        index: by which the rows are found; empty by pages.
        estimated_rows: that are in the window; None where nobody can tell.
        costs: what was compared, in PostgreSQL's unit, way -> cost; empty where there was no choice.
    """

    path: Literal["index", "pages"]
    index: str = ""
    estimated_rows: int | None = None
    costs: Mapping[str, float] | None = None

    def to_json(self, number: int) -> dict[str, Any]:
        """Return what the manifest says of it.

        Args:
            number: of statements.
        """
        document: dict[str, Any] = {"path": self.path, "statements": number}
        if self.index:
            document["index"] = self.index
        if self.estimated_rows is not None:
            document["estimated_rows"] = self.estimated_rows
        if self.costs:
            document["costs"] = {way: round(cost) for way, cost in self.costs.items()}
        return document


WHOLE = Access("pages")


@dataclass(frozen=True)
class Reading:
    """Everything by which a way is chosen.

    Args:
        selected: the runs of the window; None where no table depends on them.
        sizes: of the heaps of the tables that this run exports.
    """

    connection: Connection
    window: Window
    indexes: Indexes
    sizes: Mapping[int, Size]
    selected: SelectedRuns | None

    def pages(self, table: Table) -> int:
        """Return the pages of a table; of one that another run exports, as VACUUM last counted them."""
        counted = sum(self.sizes[h.oid].pages if h.oid in self.sizes else h.pages for h in table.heaps)
        if table.name == RUN_TABLE and self.selected:
            return max(counted, self.selected.total * RUN_BYTES // PAGE_BYTES)
        return counted

    def rows(self, table: Table) -> float:
        """Return about how many rows a table has."""
        if table.name == RUN_TABLE and self.selected:
            return float(self.selected.total)
        pages = {h.oid: self.sizes[h.oid].pages if h.oid in self.sizes else h.pages for h in table.heaps}
        return sum(self.indexes.rows(heap, pages[heap.oid]) for heap in table.heaps)


def read_statements(
    reading: Reading, table: Table, rows: RowFilter, masked: Sequence[str], *, small: bool
) -> tuple[tuple[Statement, ...], Access]:
    """Choose the way to a table's rows and return its statements.

    Args:
        rows: which rows are exported.
        masked: columns whose values stay in the database.
        small: read whole by one statement.
    """
    window, sizes = reading.window, reading.sizes
    others = [window.catalog.tables[name] for name in rows.tables - {table.name}]
    read_with_each = PAGE_BYTES * sum(map(reading.pages, others))
    found = None
    if not small and window.cutoff is not None and len(table.heaps) == 1:
        found = _by_runs(reading, table, others, masked) or _by_time(reading, table, rows, masked)
    chosen, access = found or ((), WHOLE)
    if access.path == "pages":
        chosen = copy_statements(table, rows, sizes, window.catalog, masked, read_with_each)
    if not small:
        _log(table, access, len(chosen))
    return chosen, access


def is_cheaper(index: float, pages: float) -> bool:
    """Return whether the way by index is taken."""
    return index < pages


def _by_runs(
    reading: Reading, table: Table, others: Sequence[Table], masked: Sequence[str]
) -> tuple[tuple[Statement, ...], Access] | None:
    window, selected = reading.window, reading.selected
    if window.rules[table.name] not in ("run", "follow") or selected is None or selected.runs is None:
        return None
    share = len(selected.runs.ids) / max(selected.total, len(selected.runs.ids), 1)
    rows, whole = reading.rows(table), total_bytes(table, reading.sizes)
    ways = _ways(reading, table, max(1.0, share * whole / statements.CHUNK_BYTES))
    if not ways:
        return None
    way, starts = min(ways, key=lambda each: cost_by_runs(reading, each[0], share, each[1]))
    costs = {"index": cost_by_runs(reading, way, share, starts), "pages": cost_by_pages(reading, [table, *others])}
    expected = round(rows * share)
    if not is_cheaper(costs["index"], costs["pages"]):
        return (), Access("pages", "", expected, costs)
    heavy = find_heavy_runs(reading.connection, window, table, reading.sizes[table.heaps[0].oid], rows)
    exported = set(selected.runs.ids) if heavy else set()
    chosen = statements_by_run(
        way,
        select_list(table, masked),
        selected.runs,
        whole / max(selected.total, 1),
        [each for each in heavy if each.id in exported],
        window,
    )
    return chosen, Access("index", way.index.name, expected, costs)


def _ways(reading: Reading, table: Table, number: float) -> list[tuple[Way, float]]:
    """Return the ways from the dag runs to a table, each with the looks for its starts in so many statements."""
    found = list[tuple[Way, float]]()
    for way in ways_from_runs(reading.window, reading.indexes, table):
        starts = _starts(reading.connection, way.loose) if way.loose else 0
        if starts is not None and starts <= MAXIMUM_STARTS:
            found.append((way, starts * number))
    return found


def _starts(connection: Connection, hop: Hop) -> int | None:
    """Count the starts of a loose scan, up to one more than may be; None where that cannot be asked."""
    query = count_starts(hop.child, hop.between, MAXIMUM_STARTS + 1)
    action = f"look how the index {hop.index.name} begins"
    try:
        with naming(action), savepoint(connection), pinned(connection, BY_LOOSE_SCAN):
            counted = connection.execute(query).fetchall()
    except SourceError as error:
        if error.transient:
            raise
        warning(f"{error}: not reading {hop.child.name} by it", table=hop.child.name)
        return None
    return int(str(counted[0][0]))


def _by_time(
    reading: Reading, table: Table, rows: RowFilter, masked: Sequence[str]
) -> tuple[tuple[Statement, ...], Access] | None:
    column = deciding_date(reading.window, table, rows)
    index = reading.indexes.serving(table, [column.name]) if column else None
    ends = _ends(reading, table, column) if column and index else None
    cutoff = reading.window.cutoff
    if column is None or index is None or ends is None or cutoff is None:
        return None
    oldest, newest = ends
    share = (newest - cutoff) / (newest - oldest) if newest > oldest and newest > cutoff else float(newest > cutoff)
    share = min(1.0, share)
    expected = round(reading.rows(table) * share)
    costs = {"index": cost_by_time(reading, table, share), "pages": cost_by_pages(reading, [table])}
    if not is_cheaper(costs["index"], costs["pages"]):
        return (), Access("pages", "", expected, costs)
    number = min(MAXIMUM_CHUNKS - 1, max(1, round(share * total_bytes(table, reading.sizes) / statements.CHUNK_BYTES)))
    slices = Slices(column, cutoff, newest, number)
    chosen = statements_by_time(table, select_list(table, masked), rows, slices, reading.window.catalog)
    return chosen, Access("index", index.name, expected, costs)


def deciding_date(window: Window, table: Table, rows: RowFilter) -> Column | None:
    """Return the one date that decides about the rows of a table, if there is one and nothing else decides."""
    if window.rules[table.name] != "date" or rows.tables:
        return None
    written = window.written(table)
    columns = [written] if written else window.moments(table)
    return columns[0] if len(columns) == 1 else None


def cost_by_runs(reading: Reading, way: Way, share: float, starts: float = 0) -> float:
    """Return what it costs to look up the rows of this share of the dag runs, from table to table.

    Args:
        starts: how often a loose scan looks for one.
    """
    operators, keys = 0.0, reading.rows(way.runs) * share
    cost = 0.0
    for table, hop in ((way.runs, None), *((hop.child, hop) for hop in reversed(way.hops))):
        rows = reading.rows(table) * share
        if hop and hop.between:
            operators += starts * DESCENT_OPERATORS + max(keys, rows) * ORDERED_OPERATORS
        else:
            operators += keys * DESCENT_OPERATORS
        cost += _fetched(reading, table, share, SPREAD * reading.indexes.costs.random_page_cost)
        keys = rows
    return cost + operators * reading.indexes.costs.cpu_operator_cost


def cost_by_time(reading: Reading, table: Table, share: float) -> float:
    """Return what it costs to read a share of a table in the order of its date, which is about that of its pages."""
    return _fetched(reading, table, share, reading.indexes.costs.random_page_cost)


def cost_by_pages(reading: Reading, tables: Sequence[Table]) -> float:
    """Return what it costs to read tables from the first page to the last."""
    costs = reading.indexes.costs
    each_row = costs.cpu_tuple_cost + CHECKED_OPERATORS * costs.cpu_operator_cost
    return sum(reading.pages(table) * costs.seq_page_cost + reading.rows(table) * each_row for table in tables)


def _fetched(reading: Reading, table: Table, share: float, page_cost: float) -> float:
    costs = reading.indexes.costs
    each_row = costs.cpu_index_tuple_cost + costs.cpu_tuple_cost + costs.cpu_operator_cost
    return reading.rows(table) * share * each_row + reading.pages(table) * share * page_cost


def _ends(reading: Reading, table: Table, column: Column) -> tuple[datetime, datetime] | None:
    """Return the oldest and the newest moment of a table, within bounds; None where that cannot be asked."""
    cutoff = reading.window.cutoff
    if cutoff is None:
        return None
    query = sql.SQL(ENDS).format(
        floor=sql.SQL("{}::timestamptz").format(sql.Literal((cutoff - FARTHEST).isoformat())),
        ceiling=sql.SQL("pg_catalog.now() + INTERVAL '1 day'"),
        column=sql.Identifier("t0", column.name),
        heap=heap_name(table.heaps[0]),
    )
    try:
        with naming(f"look for the newest row of {table.name}"), savepoint(reading.connection):
            found = reading.connection.execute(query).fetchall()
    except SourceError as error:
        if error.transient:
            raise
        warning(f"{error}: reading it by pages", table=table.name)
        return None
    if not found:
        return cutoff, cutoff
    oldest, newest = (datetime.fromtimestamp(float(str(each)), UTC) for each in found[0])
    return oldest, newest


def _log(table: Table, access: Access, number: int) -> None:
    by = f"by the index {access.index}" if access.index else "by pages"
    rows = "" if access.estimated_rows is None else f", about {access.estimated_rows:,} rows"
    info(f"{table.name}: read {by}, statements: {number}{rows}", table=table.name, access=access.to_json(number))
