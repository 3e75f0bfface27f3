"""How the rows of a table are found from the dag runs that they belong to: by index, from each table to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from metadata_export.catalog import ForeignKey, Table
from metadata_export.from_clause import columns_of, relation
from metadata_export.indexes import Index, Indexes
from metadata_export.loose_scan import columns_between, of_run_and_start, rows_by_start
from metadata_export.row_filter import Conditions
from metadata_export.run_set import RunSet
from metadata_export.window import RUN_KEY, RUN_TABLE, Condition, Window


@dataclass(frozen=True)
class Hop:
    """From a row of `parent` to those of `child` that refer to it."""

    child: Table
    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]
    index: Index
    """of the child, on these columns"""
    between: tuple[str, ...] = ()
    """columns that stand in the index between those of the run's key, see `loose_scan`; the parent is dag_run then"""


@dataclass(frozen=True)
class Way:
    """From dag runs to the rows of a table.

    Args:
        runs: the table dag_run.
        run_index: its index on the id.
        hops: from the table to dag_run; none for dag_run itself.
    """

    runs: Table
    run_index: Index
    hops: tuple[Hop, ...]

    @property
    def table(self) -> Table:
        """The table whose rows are found."""
        return self.hops[0].child if self.hops else self.runs

    @property
    def index(self) -> Index:
        """The index by which the rows are found in the end."""
        return self.hops[0].index if self.hops else self.run_index

    @property
    def loose(self) -> Hop | None:
        """The hop from dag_run, where its index has other columns between those of the run's key."""
        return self.hops[-1] if self.hops and self.hops[-1].between else None

    @property
    def others(self) -> list[Table]:
        """The tables that are read besides."""
        return [hop.parent for hop in self.hops]

    def rows(self, runs: RunSet, conditions: Sequence[Condition] = ()) -> Condition:
        """Return what stands behind FROM for the rows, under the alias t0, that belong to these runs.

        Each table is looked up for one row of the one before. PostgreSQL does not see through OFFSET, so there is no
        other order that it could choose, however large it takes the tables to be: it may never have counted their rows.

        Args:
            conditions: that the rows must meet besides.
        """
        number = len(self.hops)
        found = [_fenced(self.runs, number, [runs.listed(sql.Identifier(f"t{number}", "id"))], conditions)]
        for place, hop in reversed(list(enumerate(self.hops))):
            alias, parent = f"t{place}", f"t{place + 1}"
            if hop.between:
                child = _fenced(hop.child, place, [of_run_and_start(hop.between, alias, parent)], conditions)
                found = [rows_by_start(hop.child, hop.between, found[0], parent, child, alias)]
            else:
                found.append(_fenced(hop.child, place, [_pairs(hop, place)], conditions))
        return sql.SQL(" CROSS JOIN LATERAL ").join(found)


def ways_from_runs(window: Window, indexes: Indexes, table: Table) -> list[Way]:
    """Return the ways by index to the rows of a table that follows its dag run alone; none where there is no such way.

    Every row must have exactly one run, and be found from there once.
    """
    runs = window.catalog.tables.get(RUN_TABLE)
    run_index = indexes.serving(runs, ["id"]) if runs and indexes.unique(runs, ["id"]) else None
    if runs is None or run_index is None:
        return []
    found = [_hops(Conditions(window), indexes, table, (), loose=loose) for loose in (True, False)]
    return [Way(runs, run_index, hops) for hops in dict.fromkeys(found) if hops is not None]


def _hops(
    conditions: Conditions, indexes: Indexes, table: Table, path: tuple[str, ...], *, loose: bool
) -> tuple[Hop, ...] | None:
    window = conditions.window
    rule = window.rules[table.name]
    if rule == "run" and len(table.heaps) == 1:
        return ()
    if rule != "follow" or table.name in path or len(table.heaps) != 1:
        return None
    path = (*path, table.name)
    for key in _references(conditions, table, path):
        parent, index = window.catalog.tables[key.parent], indexes.serving(table, key.columns)
        if not indexes.unique(parent, key.parent_columns) or not _always_made(table, key.columns) or key.operators:
            continue
        by_run_key = key.parent == RUN_TABLE and key.columns == key.parent_columns == RUN_KEY
        if index is None and loose and by_run_key and (hop := _loose_hop(indexes, table, parent)):
            return (hop,)
        onward = _hops(conditions, indexes, parent, path, loose=loose) if index else None
        if index and onward is not None:
            return (Hop(table, key.columns, parent, key.parent_columns, index), *onward)
    return None


def _loose_hop(indexes: Indexes, table: Table, runs: Table) -> Hop | None:
    """Return the hop by an index with columns between those of the run's key: none of them is ever NULL."""
    for index in indexes.of(table):
        between = columns_between(index.columns)
        if between and _always_made(table, between) and len(runs.heaps) == 1:
            return Hop(table, RUN_KEY, runs, RUN_KEY, index, between)
    return None


def _references(conditions: Conditions, table: Table, path: tuple[str, ...]) -> list[ForeignKey]:
    """Return the references each of which leads to a row's one run: the one that decides, and those that say the same.

    What PostgreSQL itself enforces leads to the same run as the run's key in the row does.
    """
    by_key_only = table.name in conditions.window.by_key_only
    references = conditions.references(table, path, by_key_only=by_key_only)
    if len(references) != 1:
        return []
    same = [key for key in table.foreign_keys if key.enforced and key not in references and not by_key_only]
    direct = references[0].parent == RUN_TABLE and not references[0].name
    return [*references, *(key for key in same if direct and conditions.decided_by_run(key, path))]


def _always_made(table: Table, columns: Sequence[str]) -> bool:
    return all(column.not_null for column in table.columns if column.name in columns)


def _pairs(hop: Hop, number: int) -> Condition:
    child, parent = f"t{number}", f"t{number + 1}"
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(parent, one), sql.Identifier(child, other))
        for one, other in zip(hop.parent_columns, hop.columns, strict=True)
    )


def _fenced(table: Table, number: int, chosen: Sequence[Condition], conditions: Sequence[Condition]) -> Condition:
    """Return rows of a table under an alias; the conditions are those of the last table."""
    alias = sql.Identifier(f"t{number}")
    condition = sql.SQL(" AND ").join([*chosen, *(conditions if number == 0 else ())])
    template = sql.SQL("(SELECT {} FROM {} AS {} WHERE {} OFFSET 0) AS {}")
    return template.format(columns_of(table, f"t{number}"), relation(table), alias, condition, alias)
