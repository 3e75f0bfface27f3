"""Dag runs that are old by their own dates though something about them happened in the window.

A cleared task instance of a finished run, or a note written on it today, leaves the run's own dates alone: any row
that leads to a run tells of it. Catalog and registry alone decide where to look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import psycopg
from psycopg import sql

from metadata_export.catalog import ForeignKey, Table
from metadata_export.errors import SourceError
from metadata_export.from_clause import in_heaps, pairs, relation
from metadata_export.identity import changed_query, check_unchanged
from metadata_export.indexes import Indexes
from metadata_export.log import warning
from metadata_export.planner import LOOK_UP, pinned
from metadata_export.references import AIRFLOW_TABLES
from metadata_export.source import CHANGED_STATES, Connection, naming, savepoint
from metadata_export.window import DATA_DATES, RUN_KEY, RUN_TABLE, Condition, Window

# Connections, the transaction's state, conflicts, resources, locks, somebody's or an operator's interference, the disk,
# and what has changed since the snapshot. Anything else (no permission, damage, a value too large or out of range, a
# foreign table that nobody can read) is so at any time: https://www.postgresql.org/docs/current/errcodes-appendix.html
MAY_PASS = ("08", "25", "40", "53", "55006", "55P03", "57", "58", *CHANGED_STATES)
MAXIMUM_WAYS = 32  # from one table to dag runs: tables that refer to each other twice double them with every step


@dataclass(frozen=True)
class Step:
    """From rows of a table to those that they refer to."""

    key: ForeignKey
    parent: Table


@dataclass(frozen=True)
class Evidence:
    """What a table tells of dag runs: the query for their ids, and the tables that it reads.

    Args:
        steps: from the table to dag_run.
    """

    table: str
    query: sql.Composed
    tables: tuple[Table, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class TouchedRuns:
    """Ids in any order and more than once, and the tables of Airflow's that could tell of more, but cannot be read."""

    ids: Sequence[object] = ()
    unread: tuple[str, ...] = ()


def find_touched_runs(connection: Connection, window: Window, indexes: Indexes, *, final: bool = True) -> TouchedRuns:
    """Look into every table that leads to a run, within the connection's transaction. No table stays locked.

    Args:
        final: whether the transaction may end when a table is locked: then the error says by whom.

    Raises:
        SourceError: a table of Airflow's could be read at another time; then the window would be another one.
    """
    found, unread = set[object](), list[str]()
    for evidence in evidence_of_runs(window):
        airflow = evidence.table in AIRFLOW_TABLES
        try:
            # Finding out who has locked a table ends the transaction: only where the export ends with it.
            found |= _ids(connection, evidence, indexes, connection if airflow and final else None)
        except SourceError as error:
            if error.transient or (airflow and not is_for_good(error)):
                raise
            warning(f"{evidence.table} tells of no dag run: {error}", table=evidence.table)
            unread += [evidence.table] if airflow else []
    return TouchedRuns(tuple(found), tuple(sorted(unread)))


def is_for_good(error: SourceError) -> bool:
    """Return whether a table cannot be read at any other time either."""
    cause = error.__cause__
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    return state is not None and not state.startswith(MAY_PASS)


def evidence_of_runs(window: Window) -> Iterator[Evidence]:
    """Yield what each table could tell of runs that are not in the window by themselves."""
    for table in window.catalog.tables.values():
        # Without a foreign key a row names a run but is no part of it: that is the audit log, and large.
        if window.rules[table.name] in ("follow", "date") and any(
            window.rules[key.parent] != "full" for key in table.foreign_keys
        ):
            yield from _evidence(window, table)


def _ids(connection: Connection, evidence: Evidence, indexes: Indexes, final: Connection | None) -> set[object]:
    action = f"look in {evidence.table} for dag runs that something happened to"
    # One scan of the table, then one look for each key: where the indexes for that are missing, PostgreSQL decides.
    indexed = all(indexes.serving(step.parent, step.key.parent_columns) for step in evidence.steps)
    with naming(action, final), savepoint(connection):
        with pinned(connection, LOOK_UP if indexed else ()):
            ids = {row[0] for row in connection.execute(evidence.query).fetchall()}
        check_unchanged(connection, changed_query(evidence.tables), action)
    return ids


def _evidence(window: Window, table: Table) -> Iterator[Evidence]:
    happened = window.since_cutoff("e0", table, DATA_DATES)
    if happened is None:
        return
    ways = list(islice(_ways_to_runs(window, table, (table,)), MAXIMUM_WAYS + 1))
    if len(ways) > MAXIMUM_WAYS:
        warning(f"{table.name} tells only of dag runs that {MAXIMUM_WAYS} ways lead to: it has more", table=table.name)
    template = sql.SQL("SELECT {} FROM (SELECT DISTINCT {} FROM {} AS e0 WHERE {}) AS e0 {}")
    for steps in ways[:MAXIMUM_WAYS]:
        key = steps[0].key
        columns = sql.SQL(", ").join(sql.Identifier("e0", column) for column in key.columns)
        chosen = sql.SQL("{} AND {}").format(happened, in_heaps("e0", key.heaps)) if key.heaps else happened
        joins = sql.SQL(" ").join(_join(step, f"e{number}", f"e{number + 1}") for number, step in enumerate(steps))
        run_id = window.run_id(f"e{len(steps)}")
        query = template.format(run_id, columns, relation(table), chosen, joins)
        yield Evidence(table.name, query, (table, *(step.parent for step in steps)), steps)


def _ways_to_runs(window: Window, table: Table, path: tuple[Table, ...]) -> Iterator[tuple[Step, ...]]:
    """Yield the ways from a table to the dag runs that its rows are about; none: it leads to no run.

    A row of a table of Airflow's has one run, to which its key or any foreign key leads. One of any other table may
    refer to several, and its columns dag_id and run_id may mean anything.

    Args:
        path: the tables from the first one to this one.
    """
    runs, unknown = window.catalog.tables[RUN_TABLE], table.name in window.by_key_only
    if table.has(*RUN_KEY) and not unknown:
        yield (Step(ForeignKey("", RUN_TABLE, RUN_KEY, RUN_KEY), runs),)
        return
    found = False
    for key in table.foreign_keys:
        parent = window.catalog.tables[key.parent]
        step = Step(key, parent)
        if key.period or (found and not unknown):
            continue
        if parent is runs:
            found = True
            yield (step,)
        elif parent not in path:
            for onward in _ways_to_runs(window, parent, (*path, parent)):
                found = True
                yield (step, *onward)


def _join(step: Step, child_alias: str, alias: str) -> Condition:
    template = sql.SQL("JOIN {} AS {} ON {}")
    return template.format(relation(step.parent), sql.Identifier(alias), pairs(step.key, child_alias, alias))
