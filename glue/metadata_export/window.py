"""Which rows of a table belong to the export: one SQL condition per table, closed under foreign keys.

The rules are those of docs/contracts/README.md. A group knows the rules of its own tables only, but a row follows
its parents wherever those are exported; so the rule of a parent comes from the catalog (`parent_rules`), and the
table registry must agree with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from metadata_export.catalog import Catalog, Column, ForeignKey, Table
from metadata_export.errors import SourceError

RUN_TABLE = "dag_run"
RUN_KEY = ("dag_id", "run_id")
EVENT_TABLES = ("asset_event", "dataset_event")
FINISHED = ("success", "failed")

Condition = sql.Composable


def parent_rules(catalog: Catalog) -> dict[str, str]:
    """Return the rule of every table as the catalog tells it: who refers to a run, an event or a follower follows."""
    rules = {RUN_TABLE: "run"} if RUN_TABLE in catalog.tables else {}
    rules |= {name: "event" for name in EVENT_TABLES if name in catalog.tables}
    rules |= {name: "follow" for name, table in catalog.tables.items() if name not in rules and table.has(*RUN_KEY)}
    while followers := _followers(catalog, rules):
        rules |= dict.fromkeys(followers, "follow")
    return dict.fromkeys(catalog.tables, "full") | rules


def _followers(catalog: Catalog, windowed: Mapping[str, str]) -> list[str]:
    return [
        name
        for name, table in catalog.tables.items()
        if name not in windowed and any(key.parent in windowed for key in table.foreign_keys)
    ]


@dataclass(frozen=True)
class Window:
    """The conditions of one export.

    Args:
        catalog: the live tables.
        rules: table -> rule, for every table of the catalog.
        cutoff: rows at or after it are in the window; None exports everything.
        touched_runs: ids of dag runs that are old by their own dates, but something about them happened in the window.
    """

    catalog: Catalog
    rules: Mapping[str, str]
    cutoff: datetime | None
    touched_runs: Sequence[int] = ()

    def condition(self, table: Table) -> Condition | None:
        """Return the condition on the rows of `table`, under the alias t0; None exports all of them."""
        return self._of(table, "t0", ())

    def depends_on_runs(self, names: Iterable[str]) -> bool:
        """Return whether any of these tables is exported by what happened to its dag run."""
        windowed = [name for name in names if name in self.catalog.tables and self.rules[name] != "full"]
        return self.cutoff is not None and RUN_TABLE in self.catalog.tables and bool(windowed)

    def in_window(self, alias: str, columns: Sequence[Column]) -> Condition:
        """Return whether the newest of these moments is in the window, or there is none."""
        if not columns:
            return sql.SQL("true")
        return sql.SQL("COALESCE({}, true)").format(self.since_cutoff(alias, columns))

    def since_cutoff(self, alias: str, columns: Sequence[Column]) -> Condition:
        """Return whether the newest of these moments is in the window; unknown when there is none."""
        # GREATEST passes over NULLs; a moment without zone is read in the transaction's, UTC.
        moments = sql.SQL(", ").join(sql.Identifier(alias, column.name) for column in columns)
        cutoff = sql.Literal(self.cutoff.isoformat() if self.cutoff else None)
        return sql.SQL("GREATEST({}) >= {}::timestamptz").format(moments, cutoff)

    def run_by_itself(self, alias: str) -> Condition:
        """Return whether a dag run is in the window by its own dates and state."""
        run = self.catalog.tables[RUN_TABLE]
        conditions = [self.in_window(alias, run.timestamps)]
        if run.has("state"):
            state = sql.Identifier(alias, "state")
            finished = sql.SQL(", ").join(map(sql.Literal, FINISHED))
            conditions.append(sql.SQL("{0} IS NULL OR {0} NOT IN ({1})").format(state, finished))
        return sql.SQL(" OR ").join(conditions)

    def _of(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition | None:
        if table.name in path:
            cycle = " -> ".join((*path, table.name))
            raise SourceError(f"the foreign keys {cycle} form a circle: export with max_age_in_days null")
        rule = self.rules[table.name] if self.cutoff is not None else "full"
        path = (*path, table.name)
        match rule:
            case "run":
                return self._run(alias)
            case "event":
                return self._event(table, alias, path)
            case "follow":
                return self._follow(table, alias, path)
            case "date":
                return self._date(table, alias, path)
            case _:
                return None

    def _run(self, alias: str) -> Condition:
        condition = self.run_by_itself(alias)
        if not self.touched_runs:
            return condition
        ids = sql.Literal("{" + ",".join(str(int(run)) for run in self.touched_runs) + "}")
        return sql.SQL("{} OR {} = ANY ({}::bigint[])").format(condition, sql.Identifier(alias, "id"), ids)

    def _event(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition:
        conditions = [self.in_window(alias, table.timestamps), *self._used_by_a_run(table, alias, path)]
        return sql.SQL(" OR ").join(sql.SQL("({})").format(condition) for condition in conditions)

    def _used_by_a_run(self, event: Table, alias: str, path: tuple[str, ...]) -> Iterable[Condition]:
        """Yield one condition per table that links events to the runs that used them."""
        for link in self.catalog.tables.values():
            to_event = [key for key in link.foreign_keys if key.parent == event.name]
            to_run = [key for key in link.foreign_keys if key.parent == RUN_TABLE]
            link_alias = f"t{len(path)}"
            for event_key, run_key in ((first, second) for first in to_event for second in to_run):
                run = self._exists(RUN_TABLE, run_key.columns, run_key.parent_columns, link_alias, (*path, link.name))
                pairs = _pairs(link_alias, event_key.columns, alias, event_key.parent_columns)
                template = sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {} AND {})")
                yield template.format(_public(link.name), sql.Identifier(link_alias), pairs, run)

    def _follow(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition | None:
        parents = self._parents(table, alias, path)
        return _all_exported(parents) if parents else None

    def _date(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition:
        own = self.in_window(alias, table.timestamps)
        parents = self._parents(table, alias, path, by_key_only=True)
        if not parents:
            return own
        if any(missing is None for missing, _ in parents):  # it always refers to a windowed row, which decides
            return _all_exported(parents)
        nothing = sql.SQL(" AND ").join(missing for missing, _ in parents if missing is not None)
        return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(nothing, own, _all_exported(parents))

    def _parents(
        self, table: Table, alias: str, path: tuple[str, ...], *, by_key_only: bool = False
    ) -> list[tuple[Condition | None, Condition]]:
        """Return for each reference to a windowed row when it is missing (None: never) and when its row is exported."""
        found: list[tuple[Condition | None, Condition]] = []
        direct = (
            not by_key_only and table.has(*RUN_KEY) and RUN_TABLE in self.catalog.tables and table.name != RUN_TABLE
        )
        if direct:
            found.append((_missing(table, alias, RUN_KEY), self._exists(RUN_TABLE, RUN_KEY, RUN_KEY, alias, path)))
        for key in table.foreign_keys:
            windowed = self._of(self.catalog.tables[key.parent], "unused", path) is not None
            if not windowed or (direct and self._decided_by_run(key, path)):
                continue
            exists = self._exists(key.parent, key.columns, key.parent_columns, alias, path)
            found.append((_missing(table, alias, key.columns), exists))
        return found

    def _decided_by_run(self, key: ForeignKey, path: tuple[str, ...]) -> bool:
        """Return whether the parent is of the same dag run as its child and follows nothing else."""
        parent = self.catalog.tables[key.parent]
        pairs = set(zip(key.columns, key.parent_columns, strict=True))
        if not parent.has(*RUN_KEY) or not all((name, name) in pairs for name in RUN_KEY) or parent.name in path:
            return False
        return parent.name == RUN_TABLE or (
            self.rules[parent.name] == "follow" and len(self._parents(parent, "unused", (*path, parent.name))) == 1
        )

    def _exists(
        self, parent: str, columns: Sequence[str], parent_columns: Sequence[str], alias: str, path: tuple[str, ...]
    ) -> Condition:
        parent_alias = f"t{len(path)}"
        condition = self._of(self.catalog.tables[parent], parent_alias, path)
        return sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {} AND ({}))").format(
            _public(parent),
            sql.Identifier(parent_alias),
            _pairs(parent_alias, parent_columns, alias, columns),
            condition if condition is not None else sql.SQL("true"),
        )


def _all_exported(parents: Sequence[tuple[Condition | None, Condition]]) -> Condition:
    return sql.SQL(" AND ").join(
        sql.SQL("({} OR {})").format(missing, parent) if missing is not None else parent for missing, parent in parents
    )


def _missing(table: Table, alias: str, columns: Sequence[str]) -> Condition | None:
    """Return when a reference is not made: one of its columns is NULL (MATCH SIMPLE); None when that cannot be."""
    nullable = [column for column in table.columns if column.name in columns and not column.not_null]
    if not nullable:
        return None
    tests = (sql.SQL("{} IS NULL").format(sql.Identifier(alias, column.name)) for column in nullable)
    return sql.SQL("({})").format(sql.SQL(" OR ").join(tests))


def _pairs(left: str, left_columns: Sequence[str], right: str, right_columns: Sequence[str]) -> Condition:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, one), sql.Identifier(right, other))
        for one, other in zip(left_columns, right_columns, strict=True)
    )


def _public(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)
