"""What is in the window, and the rule of each table.

The rules are those of docs/contracts/README.md. A group is told the rules of Airflow's tables, whichever group exports
them, because a row follows its parents wherever those are; the rule of any other table comes from its foreign keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from metadata_export.catalog import Catalog, Table

RUN_TABLE = "dag_run"
RUN_KEY = ("dag_id", "run_id")
EVENT_TABLES = ("asset_event", "dataset_event")
FINISHED = ("success", "failed")
# Moments that somebody planned: nothing happened then. A task's state that expires in 30 days tells nothing of its run.
PLANNED = frozenset({"deadline", "deadline_time", "exp", "expires_at", "expiry", "reschedule_date", "trigger_timeout"})

Condition = sql.Composable


def parent_rules(catalog: Catalog) -> dict[str, str]:
    """Return the rule of every table as the catalog tells it: who refers to a run, an event or a follower follows."""
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
        touched_runs: ids of dag runs, as text, that are old by their own dates though something about them happened in
            the window.
        by_key_only: tables whose columns dag_id and run_id mean nothing, because they are not Airflow's.
    """

    catalog: Catalog
    rules: Mapping[str, str]
    cutoff: datetime | None
    touched_runs: Sequence[str] = ()
    by_key_only: frozenset[str] = frozenset()

    def depends_on_runs(self, names: Iterable[str]) -> bool:
        """Return whether any of these tables is exported by what happened to its dag run."""
        windowed = [name for name in names if name in self.catalog.tables and self.rules[name] != "full"]
        return self.cutoff is not None and RUN_TABLE in self.catalog.tables and bool(windowed)

    def in_window(self, alias: str, table: Table) -> Condition:
        """Return whether the newest of a row's moments is in the window, or there is none."""
        happened = self.since_cutoff(alias, table)
        return sql.SQL("true") if happened is None else sql.SQL("COALESCE({}, true)").format(happened)

    def since_cutoff(self, alias: str, table: Table) -> Condition | None:
        """Return whether the newest of a row's moments is in the window; None where the table has no such column."""
        columns = [column for column in table.timestamps if column.name not in PLANNED]
        if not columns:
            return None
        # GREATEST passes over NULLs; a moment without zone is read in the transaction's, UTC.
        moments = sql.SQL(", ").join(sql.Identifier(alias, column.name) for column in columns)
        cutoff = sql.Literal(self.cutoff.isoformat() if self.cutoff else None)
        return sql.SQL("GREATEST({}) >= {}::timestamptz").format(moments, cutoff)

    def run_by_itself(self, alias: str) -> Condition:
        """Return whether a dag run is in the window by its own dates and state."""
        run = self.catalog.tables[RUN_TABLE]
        conditions = [self.in_window(alias, run)]
        if run.has("state"):
            state = sql.Identifier(alias, "state")
            finished = sql.SQL(", ").join(map(sql.Literal, FINISHED))
            conditions.append(sql.SQL("{0} IS NULL OR {0} NOT IN ({1})").format(state, finished))
        return sql.SQL(" OR ").join(conditions)

    def run_id_type(self) -> str:
        """Return the type of dag_run.id: PostgreSQL hashes a list of ids only if it is of the same type."""
        column = self.catalog.tables[RUN_TABLE].column("id")
        return column.type if column else "integer"
