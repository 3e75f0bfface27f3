"""Fills the schema of any Airflow version with aged data, as the live catalog and its foreign keys say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from tests.integration.completeness.live_catalog import LiveCatalog, Reference, read_live_catalog
from tests.integration.completeness.runs import (
    ANCIENT,
    CUTOFF,
    JUST_BEFORE,
    OLD,
    PLANNED,
    RECENT,
    STORIES,
    RunStory,
    touched_stories,
)
from tests.integration.completeness.values import Values

Row = dict[str, Any]
DEFINITIONS = 6  # rows of each table that nothing windows; at least one for each date of a dated table
EVENTS = ("asset_event", "dataset_event")
UNTOUCHED = ("alembic_version", "alembic_version_fab")  # Airflow's own: it would take the schema for another one
EXTRACT, WAIT, MAPPED = ("extract", -1), ("wait", -1), ("mapped", 3)


@dataclass(frozen=True)
class AgedData:
    """What was written: the dag runs' stories, and the number of rows in all."""

    stories: tuple[RunStory, ...]
    rows: int


def fill(connection: psycopg.Connection[Any], dated: Iterable[str]) -> AgedData:
    """Write definitions and runs older than the window, and all that happened to them, in one transaction.

    Args:
        connection: of the superuser, to a freshly migrated database.
        dated: the tables that are exported by their own dates (those of them that the version has).
    """
    catalog = read_live_catalog(connection)
    filling = _Filling(connection, catalog, [table for table in dated if table in catalog.columns])
    stories = filling.fill()
    connection.commit()
    return AgedData(tuple(stories), sum(map(len, filling.rows.values())))


class _Filling:
    def __init__(self, connection: psycopg.Connection[Any], catalog: LiveCatalog, dated: list[str]) -> None:
        self._connection, self._catalog, self._dated = connection, catalog, dated
        self._values = Values()
        self._event_of: dict[str, Row] = {}
        self._events = next((table for table in EVENTS if table in catalog.columns), "")
        self._of_runs = catalog.descendants(["dag_run"])
        self._windowed = {"dag_run", self._events} | catalog.descendants(["dag_run", self._events])
        self.rows: dict[str, list[Row]] = {table: [] for table in catalog.columns}

    def fill(self) -> list[RunStory]:
        for table in self._catalog.load_order:
            if table not in {*self._windowed, *self._dated, *UNTOUCHED}:
                for _ in range(DEFINITIONS):
                    self._add(table, OLD)
        for table in self._dated:
            self._add_dated(table)
        for moment in (RECENT, CUTOFF, JUST_BEFORE, ANCIENT):
            self._add_event(moment)
        following = self._of_runs - set(self._dated)
        stories = [*STORIES, *touched_stories(self._catalog, self._of_runs)]
        for number, story in enumerate(stories):
            self._add_run(story, number)
        self._add_rows_without_run(following)
        return stories

    def _add_dated(self, table: str) -> None:
        """Add a row of each age, without a reference to a run; where all dates may be NULL, one without any."""
        moments = [column for column in self._catalog.columns[table] if column.is_moment]
        nowhere = {name: None for key in self._windowed_references(table) for name in key.columns}
        for moment in (RECENT, CUTOFF, JUST_BEFORE, ANCIENT):
            self._add(table, moment, given=nowhere)
        if len(moments) > 1:  # the newest decides
            self._add(table, ANCIENT, given={**nowhere, moments[-1].name: RECENT})
        if all(column.nullable for column in moments):
            self._add(table, None, given=nowhere)

    def _add_event(self, moment: datetime) -> Row:
        event = self._add(self._events, moment)
        for table in sorted(self._catalog.descendants([self._events]) - self._of_runs):
            self._add(table, moment, {self._events: event})
        return event

    def _add_run(self, story: RunStory, number: int) -> None:
        run = self._add("dag_run", story.dates, given=self._run_columns(story, number))
        parents, given = {"dag_run": run}, self._shared_columns(run)
        if story.uses_event is not None:
            self._event_of[story.name] = self._add_event(story.uses_event)
        event = self._event_of.get(story.shares_event or story.name)
        if event is not None:
            parents[self._events] = event
        for table in (table for table in self._catalog.load_order if table in self._of_runs):
            moment = story.touched.get(table, story.dates)
            if table in self._dated and table not in story.touched and story.expected:
                moment = ANCIENT  # its run decides, whatever its own date is
            if table == "task_instance":
                self._add_task_instances(story, moment, parents, given)
            elif self._events not in self._catalog.parents(table) or self._events in parents:
                self._add_followers(table, moment, story.plans or story.dates, parents, given)

    def _add_task_instances(self, story: RunStory, moment: datetime, parents: Mapping[str, Row], given: Row) -> None:
        for task_id, map_index in (EXTRACT, WAIT, MAPPED):
            state = {"state": "success" if task_id == "extract" else None, "task_id": task_id, "map_index": map_index}
            begun = None if story.waiting or task_id == "wait" else moment
            self._add("task_instance", begun, parents, {**given, **state}, planned=story.plans or story.dates)

    def _add_followers(
        self, table: str, moment: datetime, planned: datetime, parents: Mapping[str, Row], given: Row
    ) -> None:
        """Add a row for each history row or task instance of the run where the table refers to those, else one row."""
        nearest = next((each for each in ("task_instance_history", "task_instance") if self._refers(table, each)), None)
        if nearest is None:
            self._add(table, moment, parents, given, planned=planned)
            return
        for row in [row for row in self.rows[nearest] if self._is_of_run(nearest, row, parents["dag_run"])]:
            shared = {name: row[name] for name in ("task_id", "map_index") if name in row}
            self._add(table, moment, {**parents, nearest: row}, {**given, **shared}, planned=planned)

    def _add_rows_without_run(self, following: Iterable[str]) -> None:
        """Add rows whose every reference to something windowed is NULL, where that can be."""
        for table in sorted(following):
            columns = {name for key in self._windowed_references(table) for name in key.columns}
            if columns and columns <= {column.name for column in self._catalog.columns[table] if column.nullable}:
                self._add(table, ANCIENT, given=dict.fromkeys(columns))

    def _add(
        self,
        table: str,
        moment: datetime | None,
        parents: Mapping[str, Row] | None = None,
        given: Mapping[str, Any] | None = None,
        *,
        planned: datetime | None = None,
    ) -> Row:
        row: Row = {}
        for column in self._catalog.columns[table]:
            when = planned if planned is not None and column.name in PLANNED else moment
            row[column.name] = self._values.value(table, column, OLD if when is None and not column.nullable else when)
        row |= self._unlinked(table)
        known = parents or {}
        for reference in self._catalog.references_of(table):
            row |= self._link(reference, known)
        row |= {name: value for name, value in (given or {}).items() if name in row}
        self._insert(table, row)
        self.rows[table].append(row)
        return row

    def _unlinked(self, table: str) -> Row:
        """Return the columns that name another row without a foreign key: some versions declare one, some do not."""
        found = {}
        for name, parent, column in (
            ("dag_id", "dag", "dag_id"),
            ("asset_id", "asset", "id"),
            ("dataset_id", "dataset", "id"),
        ):
            if parent != table and self._catalog.has(table, name) and self.rows.get(parent):
                found[name] = self._cycle(parent, len(self.rows[table]))[column]
        return found

    def _link(self, reference: Reference, parents: Mapping[str, Row]) -> Row:
        number = len(self.rows[reference.child])
        parent = parents.get(reference.parent) or self._cycle(reference.parent, number)
        nullable = {column.name for column in self._catalog.columns[reference.child] if column.nullable}
        optional = set(reference.columns) <= nullable and reference.parent not in parents
        optional &= not reference.child.startswith("ab_")  # NULL by omission: a later version forbids it
        if parent is None or (optional and number % 3 == 0):
            return dict.fromkeys(reference.columns)
        return dict(zip(reference.columns, (parent[name] for name in reference.parent_columns), strict=True))

    def _cycle(self, table: str, number: int) -> Any:
        rows = self.rows[table]
        return rows[number % len(rows)] if rows else None

    def _run_columns(self, story: RunStory, number: int) -> Row:
        given: Row = {"run_id": story.name, "run_type": "scheduled", "state": story.state, **story.run}
        for name in ("execution_date", "logical_date"):  # unique for each dag
            moment = given.get(name, story.dates)
            given[name] = moment - timedelta(milliseconds=number) if isinstance(moment, datetime) else moment
        return given

    def _shared_columns(self, run: Row) -> Row:
        """Return what the rows of a run have in common, with or without a foreign key."""
        return {"dag_id": run["dag_id"], "run_id": run["run_id"], "dag_run_id": run["id"], "dagrun_id": run["id"]}

    def _is_of_run(self, table: str, row: Row, run: Row) -> bool:
        return (row["dag_id"], row["run_id"]) == (run["dag_id"], run["run_id"])

    def _refers(self, table: str, parent: str) -> bool:
        return parent in self._catalog.parents(table)

    def _windowed_references(self, table: str) -> list[Reference]:
        return [key for key in self._catalog.references_of(table) if key.parent in self._windowed]

    def _insert(self, table: str, row: Row) -> None:
        types = {column.name: column.type for column in self._catalog.columns[table]}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier("public", table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.SQL("%s::" + types[name]) for name in row),
        )
        self._connection.execute(statement, list(row.values()))
