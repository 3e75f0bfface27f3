"""Dag runs that are old by their own dates though something about them happened in the window.

A cleared task instance of a finished run, or a note written on it today, leaves the run's own dates alone: any row
that leads to a run tells of it. The ids are found once per Glue run, because each chunk of each table that follows a
run asks for them; every group finds the same ones, since the catalog alone decides where it looks.
"""

from psycopg import sql

from metadata_export.catalog import Table
from metadata_export.source import Connection, naming
from metadata_export.window import RUN_KEY, RUN_TABLE, Condition, Window, parent_rules


def find_touched_runs(connection: Connection, window: Window) -> tuple[int, ...]:
    """Return the ids, in ascending order, within the connection's transaction."""
    query = touched_runs_query(window)
    if query is None:
        return ()
    with naming("look for dag runs that something happened to", connection):
        return tuple(sorted(int(str(row[0])) for row in connection.execute(query).fetchall()))


def touched_runs_query(window: Window) -> sql.Composed | None:
    """Return the query for the ids of touched runs; None where no table could tell of any."""
    rules = parent_rules(window.catalog)
    # Without a foreign key a row names a run but is no part of it: the audit log, large and of no account here.
    followers = [
        table
        for table in window.catalog.tables.values()
        if rules[table.name] == "follow" and any(rules[key.parent] != "full" for key in table.foreign_keys)
    ]
    branches = [_branch(window, table) for table in followers]
    found = [branch for branch in branches if branch is not None]
    return sql.SQL(" UNION ").join(found) if found else None


def _branch(window: Window, table: Table) -> Condition | None:
    to_run = _way_to_run(window, table, 0, (table.name,))
    if to_run is None or not table.timestamps:
        return None
    template = sql.SQL("SELECT r.id FROM {} AS e0 {} WHERE {} AND ({}) IS NOT TRUE")
    evidence, happened = sql.Identifier("public", table.name), window.since_cutoff("e0", table.timestamps)
    return template.format(evidence, to_run, happened, window.run_by_itself("r"))


def _way_to_run(window: Window, table: Table, depth: int, path: tuple[str, ...]) -> Condition | None:
    """Return the joins from `table AS e<depth>` to its dag run r, by the run's key or along foreign keys."""
    here = f"e{depth}"
    if table.has(*RUN_KEY):
        return _join(RUN_TABLE, "r", RUN_KEY, here, RUN_KEY)
    for key in table.foreign_keys:
        if key.parent == RUN_TABLE:
            return _join(RUN_TABLE, "r", key.parent_columns, here, key.columns)
        if key.parent in path:
            continue
        parent = window.catalog.tables[key.parent]
        onward = _way_to_run(window, parent, depth + 1, (*path, parent.name))
        if onward is not None:
            step = _join(parent.name, f"e{depth + 1}", key.parent_columns, here, key.columns)
            return sql.SQL("{} {}").format(step, onward)
    return None


def _join(
    table: str, alias: str, columns: tuple[str, ...], child_alias: str, child_columns: tuple[str, ...]
) -> Condition:
    pairs = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(alias, one), sql.Identifier(child_alias, other))
        for one, other in zip(columns, child_columns, strict=True)
    )
    return sql.SQL("JOIN {} AS {} ON {}").format(sql.Identifier("public", table), sql.Identifier(alias), pairs)
