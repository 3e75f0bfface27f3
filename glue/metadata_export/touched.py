"""Dag runs that are old by their own dates though something about them happened in the window.

A cleared task instance of a finished run, or a note written on it today, leaves the run's own dates alone: any row
that leads to a run tells of it. The ids are found once per Glue run, because each chunk of each table that follows a
run asks for them; every group finds the same ones, since catalog and registry alone decide where it looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from metadata_export.catalog import Table
from metadata_export.errors import SourceError
from metadata_export.from_clause import relation
from metadata_export.identity import changed_query, check_unchanged
from metadata_export.log import warning
from metadata_export.references import AIRFLOW_TABLES
from metadata_export.source import Connection, naming, savepoint
from metadata_export.window import RUN_KEY, RUN_TABLE, Condition, Window


@dataclass(frozen=True)
class Evidence:
    """What a table tells of dag runs: the query for their ids, and the tables that it reads."""

    table: str
    query: sql.Composed
    tables: tuple[Table, ...]


def find_touched_runs(connection: Connection, window: Window) -> tuple[str, ...]:
    """Return the ids as text, in order, within the connection's transaction. No table stays locked."""
    found: set[str] = set()
    for evidence in evidence_of_runs(window):
        try:
            found |= _ids(connection, evidence)
        except SourceError as error:
            # A table of Airflow's that cannot be read may be the only one that tells of a run.
            if error.transient or evidence.table in AIRFLOW_TABLES:
                raise
            warning(f"{evidence.table} tells of no dag run: {error}", table=evidence.table)
    return tuple(sorted(found))


def evidence_of_runs(window: Window) -> Iterator[Evidence]:
    """Yield what each table could tell of runs that are not in the window by themselves."""
    for table in window.catalog.tables.values():
        # Without a foreign key a row names a run but is no part of it: that is the audit log, and large.
        if window.rules[table.name] in ("follow", "date") and any(
            window.rules[key.parent] != "full" for key in table.foreign_keys
        ):
            evidence = _evidence(window, table)
            if evidence is not None:
                yield evidence


def _ids(connection: Connection, evidence: Evidence) -> set[str]:
    action = f"look in {evidence.table} for dag runs that something happened to"
    # To say who has locked a table ends the transaction: only where that is the end of the export too.
    final = connection if evidence.table in AIRFLOW_TABLES else None
    with naming(action, final), savepoint(connection):
        ids = {str(row[0]) for row in connection.execute(evidence.query).fetchall()}
        check_unchanged(connection, changed_query(evidence.tables), action)
    return ids


def _evidence(window: Window, table: Table) -> Evidence | None:
    way = _way_to_run(window, table, (table,))
    happened = window.since_cutoff("e0", table)
    if way is None or happened is None:
        return None
    joins, tables = way
    template = sql.SQL("SELECT DISTINCT r.id FROM {} AS e0 {} WHERE {} AND ({}) IS NOT TRUE")
    query = template.format(relation(table), sql.SQL(" ").join(joins), happened, window.run_by_itself("r"))
    return Evidence(table.name, query, tables)


def _way_to_run(
    window: Window, table: Table, path: tuple[Table, ...]
) -> tuple[list[Condition], tuple[Table, ...]] | None:
    """Return the joins from `table AS e<n>` to its dag run r, by the run's key or along foreign keys, and the tables.

    Args:
        path: the tables from the first one to this one, which is the nth.
    """
    here, runs = f"e{len(path) - 1}", window.catalog.tables[RUN_TABLE]
    if table.has(*RUN_KEY):
        return [_join(runs, "r", RUN_KEY, here, RUN_KEY)], (*path, runs)
    for key in table.foreign_keys:
        parent = window.catalog.tables[key.parent]
        if parent is runs:
            return [_join(runs, "r", key.parent_columns, here, key.columns)], (*path, runs)
        onward = _way_to_run(window, parent, (*path, parent)) if parent not in path else None
        if onward is not None:
            step = _join(parent, f"e{len(path)}", key.parent_columns, here, key.columns)
            return [step, *onward[0]], onward[1]
    return None


def _join(
    table: Table, alias: str, columns: tuple[str, ...], child_alias: str, child_columns: tuple[str, ...]
) -> Condition:
    pairs = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(alias, one), sql.Identifier(child_alias, other))
        for one, other in zip(columns, child_columns, strict=True)
    )
    return sql.SQL("JOIN {} AS {} ON {}").format(relation(table), sql.Identifier(alias), pairs)
