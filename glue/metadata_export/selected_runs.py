"""Which dag runs the window selects: decided once, for every table of every group.

By their own dates and state, and by what happened to what belongs to them. Each table is read once, from its start to
its end: no version of Airflow has indexes on all of the many dates that decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from psycopg import sql

from metadata_export.errors import SourceError
from metadata_export.from_clause import relation
from metadata_export.identity import changed_query, check_unchanged
from metadata_export.indexes import Indexes
from metadata_export.log import info, warning
from metadata_export.run_set import INTEGERS, RunSet, run_set
from metadata_export.source import Connection, naming, savepoint
from metadata_export.touched import find_touched_runs, is_for_good
from metadata_export.window import RUN_TABLE, Condition, Window

ACTION = "look for the dag runs of the window"


@dataclass(frozen=True)
class SelectedRuns:
    """What decides the window of all tables.

    Args:
        runs: None where dag_run cannot be read.
        total: how many dag runs there are, as PostgreSQL has counted them last, if it ever has.
        early: whether one that is dated in the window was made before it.
        unread: tables of Airflow's that could tell of more runs, but cannot be read.
        error: why there are no runs.
    """

    runs: RunSet | None
    total: int
    early: bool
    unread: tuple[str, ...]
    error: str = ""


class DecideRuns(Protocol):
    """Tells which dag runs the window selects: by itself, or because another run of the export has told it."""

    def __call__(
        self, connection: Connection, window: Window, indexes: Indexes, *, needed: bool
    ) -> SelectedRuns | None:
        """Return them; None where no table of this run depends on them.

        Args:
            needed: whether one does.

        Raises:
            SourceError: a table could be read at another time.
        """


def decide_alone(connection: Connection, window: Window, indexes: Indexes, *, needed: bool) -> SelectedRuns | None:
    """Decide without the other runs of the export."""
    return find_selected_runs(connection, window, indexes) if needed else None


def find_selected_runs(connection: Connection, window: Window, indexes: Indexes, *, final: bool = True) -> SelectedRuns:
    """Find the dag runs of a window, within the connection's transaction. No table stays locked.

    Args:
        final: whether the transaction may end when a table is locked: then the error says by whom.

    Raises:
        SourceError: a table could be read at another time.
    """
    try:
        own, early, total = _by_themselves(connection, window, indexes, connection if final else None)
    except SourceError as error:
        if error.transient or not is_for_good(error):
            raise
        warning(f"no table that follows dag runs can be exported: {error}")
        return SelectedRuns(None, 0, True, (RUN_TABLE,), str(error))
    touched = find_touched_runs(connection, window, indexes, final=final)
    runs = run_set([*own.ids, *touched.ids], own.type)
    total = max(len(runs.ids), total)
    older = len(runs.ids) - len(own.ids)
    info(
        f"{len(runs.ids):,} of about {total:,} dag runs belong to the window; {older:,} of them are older, but "
        "something happened to them",
        selected_runs=len(runs.ids),
        touched_runs=older,
        runs=total,
    )
    return SelectedRuns(runs, total, early, touched.unread)


def _by_themselves(
    connection: Connection, window: Window, indexes: Indexes, final: Connection | None
) -> tuple[RunSet, bool, int]:
    """Return the runs that are in the window by their own dates and state, if one is early, and how many there are."""
    table = window.catalog.tables[RUN_TABLE]
    with naming(ACTION, final), savepoint(connection):
        ids, early = list[object](), False
        for each, is_early in _selected(connection, window, relation(table)):
            ids.append(each)
            early = early or is_early
        total = round(sum(indexes.rows(heap, heap.pages) for heap in table.heaps))
        if not all(heap.oid in indexes.density for heap in table.heaps):
            counted = sql.SQL("SELECT count(*) FROM {} AS r").format(relation(table))
            total = int(str(connection.execute(counted).fetchall()[0][0]))
        check_unchanged(connection, changed_query([table]), ACTION)
    return run_set(ids, window.run_id_type), early, total


def _selected(connection: Connection, window: Window, runs: Condition) -> Iterator[tuple[object, bool]]:
    template = sql.SQL("SELECT {}, COALESCE({}, false) FROM {} AS r WHERE {}")
    query = template.format(window.run_id("r"), window.run_made_early("r"), runs, window.run_by_itself("r"))
    if window.run_id_type not in INTEGERS:
        yield from ((each, bool(early)) for each, early in connection.execute(query).fetchall())
        return
    # Row by row: a fetch would hold ten million of them, four times over.
    with connection.cursor().copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy:
        for row in copy:
            number, _, early = bytes(row).partition(b"\t")
            yield int(number), early.startswith(b"t")
