"""What is in the window, and the rule of each table.

The rules are those of docs/contracts/README.md. A group is told the rules of Airflow's tables, whichever group exports
them, because a row follows its parents wherever those are; the rule of any other table comes from its foreign keys.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from psycopg import sql

from metadata_export.catalog import Catalog, Column, Table
from metadata_export.errors import SourceError
from metadata_export.run_set import INTEGERS, RunSet

RUN_TABLE = "dag_run"
RUN_KEY = ("dag_id", "run_id")
EVENT_TABLES = ("asset_event", "dataset_event")
AUDIT_TABLE = "log"
FINISHED = ("success", "failed")
# Moments that somebody planned: nothing happened then. A task's state that expires in 30 days tells nothing of its run.
PLANNED = frozenset({"deadline", "deadline_time", "exp", "expires_at", "expiry", "reschedule_date", "trigger_timeout"})
# Moments of the data that a run is about. In the run itself they count; in a row that belongs to it they tell nothing.
DATA_DATES = frozenset({"execution_date", "logical_date", "partition_date"})
INTERVAL = frozenset({"data_interval_start", "data_interval_end", "run_after"})  # of a run: as its data dates

Condition = sql.Composable


def parent_rules(catalog: Catalog) -> dict[str, str]:
    """Return the rule of every table as the catalog tells it: what refers to a run, an event or a follower follows."""
    rules = {RUN_TABLE: "run"} if RUN_TABLE in catalog.tables else {}
    rules |= {name: "event" for name in EVENT_TABLES if name in catalog.tables}
    rules |= {name: "follow" for name, table in catalog.tables.items() if name not in rules and table.has(*RUN_KEY)}
    return _with_followers(catalog, rules)


def rules_with_unknown(catalog: Catalog, known: Mapping[str, str]) -> dict[str, str]:
    """Return the rule of every table: the known ones, and `follow` for what refers to a windowed row by foreign key.

    Columns that happen to be called dag_id and run_id mean nothing in a table that is not Airflow's.
    """
    return dict(known) | {name: rule for name, rule in _with_followers(catalog, known).items() if name not in known}


def _with_followers(catalog: Catalog, known: Mapping[str, str]) -> dict[str, str]:
    rules = {name: rule for name, rule in known.items() if rule != "full"}
    while followers := _followers(catalog, rules.keys() | known.keys(), rules):
        rules |= dict.fromkeys(followers, "follow")
    return dict.fromkeys(catalog.tables, "full") | rules


def _followers(catalog: Catalog, decided: Iterable[str], windowed: Mapping[str, str]) -> list[str]:
    decided = frozenset(decided)
    return [
        name
        for name, table in catalog.tables.items()
        if name not in decided and any(key.parent in windowed for key in table.foreign_keys)
    ]


@dataclass(frozen=True)
class Window:
    """The conditions of one export.

    Args:
        catalog: the live tables.
        rules: table -> rule, for every table of the catalog.
        cutoff: rows at or after it are in the window; None exports everything.
        by_key_only: tables whose columns dag_id and run_id mean nothing, because they are not Airflow's.
        runs: the dag runs that are exported; None before they have been found.
        early_runs: whether a run that is dated in the window may have been made before it, see `written`.
        error: why the runs cannot be found, in one line.
    """

    catalog: Catalog
    rules: Mapping[str, str]
    cutoff: datetime | None
    by_key_only: frozenset[str] = frozenset()
    runs: RunSet | None = None
    early_runs: bool = True
    error: str = "nobody has looked for the dag runs of the window"

    def depends_on_runs(self, names: Iterable[str]) -> bool:
        """Return whether any of these tables is exported by what happened to its dag run."""
        return self.has_runs and any(name in self.catalog.tables and self.rules[name] != "full" for name in names)

    @property
    def has_runs(self) -> bool:
        """Whether some table may be exported by what happened to its dag run."""
        return self.cutoff is not None and RUN_TABLE in self.catalog.tables

    @cached_property
    def windowed(self) -> frozenset[str]:
        """The tables that are not exported whole."""
        tables = self.catalog.tables
        found = {name for name in tables if self.cutoff is not None and self.rules[name] != "full"}
        # What follows nothing is exported whole, and so is what follows only that.
        while whole := {
            name
            for name in found
            if self.rules[name] == "follow"
            and not self.names_its_run(tables[name])
            and not any(key.parent in found for key in tables[name].foreign_keys)
        }:
            found -= whole
        return frozenset(found)

    def names_its_run(self, table: Table) -> bool:
        """Return whether each row has the key of the dag run that it is part of."""
        by_key_only = table.name in self.by_key_only or table.name == RUN_TABLE
        return not by_key_only and table.has(*RUN_KEY) and RUN_TABLE in self.catalog.tables

    def in_window(self, alias: str, table: Table) -> Condition:
        """Return whether the newest of a row's moments is in the window, or there is none."""
        happened = self.since_cutoff(alias, table)
        return sql.SQL("true") if happened is None else sql.SQL("COALESCE({}, true)").format(happened)

    def dated(self, alias: str, table: Table) -> Condition:
        """Return whether a row of a table that is exported by its own date is in the window."""
        written = self.written(table)
        anyhow = self.in_window(alias, table)
        if written is None:
            return anyhow
        return sql.SQL("COALESCE({} >= {}, {})").format(sql.Identifier(alias, written.name), self._cutoff, anyhow)

    def written(self, table: Table) -> Column | None:
        """Return the one column that tells when an entry of the audit log was written, where that alone decides.

        The date of the data that an entry is about decides only where a run that is dated in the window may have been
        made before it: what was written then about that run is kept too.
        """
        if table.name != AUDIT_TABLE or self.early_runs:
            return None
        columns = self.moments(table, DATA_DATES)
        return columns[0] if len(columns) == 1 else None

    def since_cutoff(self, alias: str, table: Table, ignored: frozenset[str] = frozenset()) -> Condition | None:
        """Return whether the newest of a row's moments is in the window; None where the table has no such column.

        Args:
            ignored: columns that do not count, besides the planned ones.
        """
        columns = self.moments(table, ignored)
        return sql.SQL("{} >= {}").format(newest(alias, columns), self._cutoff) if columns else None

    def moments(self, table: Table, ignored: frozenset[str] = frozenset()) -> list[Column]:
        """Return the columns of a table whose moments count: neither planned nor ignored."""
        return [column for column in table.timestamps if column.name not in PLANNED | ignored]

    @property
    def _cutoff(self) -> Condition:
        # A moment without zone is read in the transaction's, UTC.
        return sql.SQL("{}::timestamptz").format(sql.Literal(self.cutoff.isoformat() if self.cutoff else None))

    def run_by_itself(self, alias: str) -> Condition:
        """Return whether a dag run is in the window by its own dates and state."""
        run = self.catalog.tables[RUN_TABLE]
        conditions = [self.in_window(alias, run)]
        if run.has("state"):
            state = sql.Identifier(alias, "state")
            finished = sql.SQL(", ").join(map(sql.Literal, FINISHED))
            conditions.append(sql.SQL("{0} IS NULL OR {0} NOT IN ({1})").format(state, finished))
        return sql.SQL(" OR ").join(conditions)

    def run_made_early(self, alias: str) -> Condition:
        """Return whether a dag run is dated in the window and was made before it.

        The latest of the dates of its data tells what it is about, the earliest of the others when it was made. That is
        not known any more of a run that was cleared in the window.
        """
        run = self.catalog.tables[RUN_TABLE]
        made = self.moments(run, DATA_DATES | INTERVAL)
        data = [column for column in self.moments(run) if column.name in DATA_DATES]
        if not made or not data:
            return sql.SQL("false")
        earliest = sql.SQL("LEAST({})").format(_columns(alias, made))
        return sql.SQL("{} >= {} AND {} < {}").format(newest(alias, data), self._cutoff, earliest, self._cutoff)

    def is_selected(self, alias: str) -> Condition:
        """Return whether a dag run is exported.

        Raises:
            SourceError: which runs are exported cannot be found out.
        """
        if self.runs is None:
            raise SourceError(self.error)
        return self.runs.condition(sql.Identifier(alias, "id"))

    @property
    def run_id_type(self) -> str:
        """Return the type of dag_run.id."""
        column = self.catalog.tables[RUN_TABLE].column("id")
        return column.type if column else "integer"

    def run_id(self, alias: str) -> Condition:
        """Return the id of a dag run, as text where it is no integer."""
        template = "{}" if self.run_id_type in INTEGERS else "{}::text"
        return sql.SQL(template).format(sql.Identifier(alias, "id"))


def newest(alias: str, columns: Iterable[Column]) -> Condition:
    """Return the newest moment of a row: GREATEST passes over NULLs, and no index serves it, even of one column."""
    columns = list(columns)
    template = "{}" if len(columns) == 1 else "GREATEST({})"
    return sql.SQL(template).format(_columns(alias, columns))


def _columns(alias: str, columns: Iterable[Column]) -> Condition:
    return sql.SQL(", ").join(sql.Identifier(alias, column.name) for column in columns)
