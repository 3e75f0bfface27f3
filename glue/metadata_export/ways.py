"""How the rows of a table are found from the dag runs that they belong to: by index, from each table to the next."""

from dataclasses import dataclass
from functools import reduce

from psycopg import sql

from metadata_export.catalog import ForeignKey, Table
from metadata_export.from_clause import relation
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

    def condition(self, runs: RunSet) -> Condition:
        """Return whether a row of the alias t0 belongs to one of these runs."""
        last = len(self.hops)
        found = runs.listed(sql.Identifier(f"t{last}", "id"))
        numbered = reversed(list(enumerate(self.hops)))
        return reduce(lambda onward, hop: _exists(hop[1], hop[0], onward), numbered, found)


def way_from_runs(window: Window, indexes: Indexes, table: Table) -> Way | None:
    """Return the way by index to the rows of a table that follows its dag run alone; None where there is no such way.

    Every row must have exactly one run, or which rows belong to the export is another question.
    """
    runs = window.catalog.tables.get(RUN_TABLE)
    run_index = indexes.serving(runs, ["id"]) if runs else None
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
        onward = _hops(conditions, indexes, parent, path) if index and _always_made(table, key) else None
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


def _exists(hop: Hop, number: int, onward: Condition) -> Condition:
    child, parent = f"t{number}", f"t{number + 1}"
    pairs = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(parent, one), sql.Identifier(child, other))
        for one, other in zip(hop.parent_columns, hop.columns, strict=True)
    )
    template = sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {} AND {})")
    return template.format(relation(hop.parent), sql.Identifier(parent), pairs, onward)
