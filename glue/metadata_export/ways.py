"""How the rows of a table are found from the dag runs that they belong to: by index, from each table to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from metadata_export.catalog import ForeignKey, Table
from metadata_export.from_clause import columns_of, relation
from metadata_export.indexes import Index, Indexes
from metadata_export.row_filter import Conditions
from metadata_export.run_set import RunSet
from metadata_export.window import RUN_TABLE, Condition, Window


@dataclass(frozen=True)
class Hop:
    """From a row of `parent` to those of `child` that refer to it."""

    child: Table
    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]
    index: Index
    """of the child, on these columns"""


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
        of_runs = runs.listed(sql.Identifier(f"t{number}", "id"))
        chosen = sql.SQL(" AND ").join([of_runs, *(conditions if not self.hops else ())])
        first = _fenced(self.runs, number, chosen)
        others = [
            _fenced(hop.child, place, sql.SQL(" AND ").join([_pairs(hop, place), *(conditions if not place else ())]))
            for place, hop in reversed(list(enumerate(self.hops)))
        ]
        return sql.SQL(" CROSS JOIN LATERAL ").join([first, *others])


def way_from_runs(window: Window, indexes: Indexes, table: Table) -> Way | None:
    """Return the way by index to the rows of a table that follows its dag run alone; None where there is no such way.

    Every row must have exactly one run, and be found from there once.
    """
    runs = window.catalog.tables.get(RUN_TABLE)
    run_index = indexes.serving(runs, ["id"]) if runs and indexes.unique(runs, ["id"]) else None
    hops = _hops(Conditions(window), indexes, table, ())
    return Way(runs, run_index, hops) if runs and run_index and hops is not None else None


def _hops(conditions: Conditions, indexes: Indexes, table: Table, path: tuple[str, ...]) -> tuple[Hop, ...] | None:
    window = conditions.window
    rule = window.rules[table.name]
    if rule == "run" and len(table.heaps) == 1:
        return ()
    if rule != "follow" or table.name in path or len(table.heaps) != 1:
        return None
    path = (*path, table.name)
    for key in _references(conditions, table, path):
        parent, index = window.catalog.tables[key.parent], indexes.serving(table, key.columns)
        once = indexes.unique(parent, key.parent_columns) and _always_made(table, key)
        onward = _hops(conditions, indexes, parent, path) if index and once else None
        if index and onward is not None:
            return (Hop(table, key.columns, parent, key.parent_columns, index), *onward)
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


def _always_made(table: Table, key: ForeignKey) -> bool:
    return all(column.not_null for column in table.columns if column.name in key.columns)


def _pairs(hop: Hop, number: int) -> Condition:
    child, parent = f"t{number}", f"t{number + 1}"
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(parent, one), sql.Identifier(child, other))
        for one, other in zip(hop.parent_columns, hop.columns, strict=True)
    )


def _fenced(table: Table, number: int, condition: Condition) -> Condition:
    alias = sql.Identifier(f"t{number}")
    template = sql.SQL("(SELECT {} FROM {} AS {} WHERE {} OFFSET 0) AS {}")
    return template.format(columns_of(table, f"t{number}"), relation(table), alias, condition, alias)
