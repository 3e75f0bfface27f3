"""Which rows an export must hold: docs/contracts/README.md ("Window rules") in plain Python over the rows.

Nothing here knows SQL or the engine. "Anything about the run": also in any row that leads to it by foreign key.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from tests.integration.completeness.live_catalog import LiveCatalog, Reference
from tests.integration.completeness.runs import PLANNED

Row = Mapping[str, Any]
FINISHED = ("success", "failed")


class Oracle:
    """Answers for one database.

    Args:
        catalog: its tables and foreign keys.
        rows: table -> all its rows.
        rules: table -> window rule.
        cutoff: rows of the window are at or after it; None: everything is exported.
    """

    def __init__(
        self,
        catalog: LiveCatalog,
        rows: Mapping[str, list[Row]],
        rules: Mapping[str, str],
        cutoff: datetime | None,
    ) -> None:
        self._catalog, self._rows, self._rules, self._cutoff = catalog, rows, rules, cutoff
        self._exported: dict[str, set[int]] = {}
        self._indexes: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], int]] = {}

    def exported(self, table: str) -> set[int]:
        """Return the positions of the rows of `table` that the export must hold, no more and no less."""
        if table not in self._exported:
            holds = {
                "full": self._always,
                "run": self._run,
                "follow": self._follow,
                "date": self._date,
                "event": self._event,
            }
            decide = holds[self._rules[table] if self._cutoff else "full"]
            self._exported[table] = {n for n, row in enumerate(self._rows[table]) if decide(table, n, row)}
        return self._exported[table]

    def exported_runs(self) -> set[str]:
        """Return the run_id of the dag runs that the export must hold."""
        return {self._rows["dag_run"][n]["run_id"] for n in self.exported("dag_run")}

    def _always(self, table: str, number: int, row: Row) -> bool:
        return True

    def _run(self, table: str, number: int, row: Row) -> bool:
        own = self._moments(table, row)
        return not own or row["state"] not in FINISHED or self._is_recent(own) or number in self._touched_runs

    def _follow(self, table: str, number: int, row: Row) -> bool:
        return all(answer is not False for answer in self._answers(table, row, by_run_id=True))

    def _date(self, table: str, number: int, row: Row) -> bool:
        answers = [answer for answer in self._answers(table, row, by_run_id=False) if answer is not None]
        moments = self._moments(table, row)
        if table == "log" and row["dttm"] is not None and not self.has_early_runs:
            moments = [row["dttm"]]  # when it was written, whatever it is about
        return all(answers) if answers else not moments or self._is_recent(moments)

    def _event(self, table: str, number: int, row: Row) -> bool:
        moments = self._moments(table, row)
        return not moments or self._is_recent(moments) or number in self._used_events(table)

    def _answers(self, table: str, row: Row, *, by_run_id: bool) -> list[bool | None]:
        """Return for each reference to something windowed whether it is exported; None where the reference is NULL."""
        references = [key for key in self._catalog.references_of(table) if self._rules[key.parent] != "full"]
        if by_run_id and self._catalog.has(table, "dag_id", "run_id"):
            references.append(Reference(table, "dag_run", ("dag_id", "run_id"), ("dag_id", "run_id")))
        return [self._is_parent_exported(reference, row) for reference in references]

    def _is_parent_exported(self, reference: Reference, row: Row) -> bool | None:
        parent = self._parent(reference, row)
        return None if parent is None else parent in self.exported(reference.parent)

    def _parent(self, reference: Reference, row: Row) -> int | None:
        key = tuple(row[name] for name in reference.columns)
        if None in key:
            return None
        return self._index(reference.parent, reference.parent_columns)[key]

    def _index(self, table: str, columns: tuple[str, ...]) -> dict[tuple[Any, ...], int]:
        if (table, columns) not in self._indexes:
            rows = enumerate(self._rows[table])
            self._indexes[table, columns] = {tuple(row[name] for name in columns): n for n, row in rows}
        return self._indexes[table, columns]

    @cached_property
    def has_early_runs(self) -> bool:
        """Whether a run is dated in the window though something about it happened before."""
        data = {"execution_date", "logical_date", "partition_date"}
        planned = {"run_after", "data_interval_start", "data_interval_end"}
        return any(
            self._is_recent([row[name] for name in data & row.keys() if row[name] is not None])
            and not all(self._is_recent([each]) for each in self._moments("dag_run", row, besides=(*data, *planned)))
            for row in self._rows["dag_run"]
        )

    @cached_property
    def _touched_runs(self) -> set[int]:
        """The runs to which something belongs that happened in the window."""
        belonging = [table for table in self._catalog.columns if self._rules[table] in ("follow", "date")]
        return {
            run
            for table in belonging
            for row in self._rows[table]
            if self._is_recent(self._moments(table, row, besides=PLANNED))
            for run in self._runs_of(table, row)
        }

    def _runs_of(self, table: str, row: Row) -> set[int]:
        """Return the runs that a row leads to by its foreign keys, over any number of tables."""
        found: set[int] = set()
        for reference in self._catalog.references_of(table):
            parent = self._parent(reference, row) if self._rules[reference.parent] in ("run", "follow") else None
            if parent is not None and reference.parent == "dag_run":
                found.add(parent)
            elif parent is not None:
                found |= self._runs_of(reference.parent, self._rows[reference.parent][parent])
        return found

    def _used_events(self, table: str) -> set[int]:
        """Return the events that an exported run uses."""
        used = set()
        for link in self._catalog.columns:
            keys = {key.parent: key for key in self._catalog.references_of(link)}
            if table in keys and "dag_run" in keys:
                rows = (row for row in self._rows[link] if self._is_parent_exported(keys["dag_run"], row))
                used |= {self._parent(keys[table], row) for row in rows}
        return used - {None}

    def _moments(self, table: str, row: Row, besides: tuple[str, ...] = ()) -> list[datetime]:
        columns = (each.name for each in self._catalog.columns[table] if each.is_moment and each.name not in besides)
        moments = (row[name] for name in columns if row[name] is not None)
        return [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments]

    def _is_recent(self, moments: list[datetime]) -> bool:
        return self._cutoff is not None and any(moment >= self._cutoff for moment in moments)
