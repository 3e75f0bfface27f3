"""Which rows of a table belong to the export: one SQL condition per table, closed under foreign keys."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from metadata_export.catalog import ForeignKey, Table
from metadata_export.errors import SourceError
from metadata_export.from_clause import in_heaps, pairs, relation
from metadata_export.references import AIRFLOW_TABLES
from metadata_export.window import RUN_KEY, RUN_TABLE, Condition, Window

_Rule = Callable[[Table, str, tuple[str, ...]], Condition | None]


@dataclass(frozen=True)
class RowFilter:
    """Which rows of a table are exported: a condition under the alias t0 (None: all), and the tables that it reads."""

    condition: Condition | None
    tables: frozenset[str] = frozenset()


def row_filter(window: Window, table: Table) -> RowFilter:
    """Return which rows of a table are exported.

    Raises:
        SourceError: the foreign keys that decide about them form a circle.
    """
    conditions = Conditions(window)
    return RowFilter(conditions.of(table, "t0", ()), frozenset(conditions.read))


@dataclass
class Conditions:
    """Composes the condition of one table, and notes what it reads.

    `path` tells how a table was reached: the names of the tables whose references have led to it, itself included once
    its own references are followed.
    """

    window: Window
    read: set[str] = field(default_factory=set)

    def of(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition | None:
        """Return the condition under which a row is exported; None: always."""
        if table.name in path:
            cycle = " -> ".join((*path, table.name))
            raise SourceError(f"the foreign keys {cycle} form a circle: export with max_age_in_days null")
        rule = self.window.rules[table.name] if self.window.cutoff is not None else "full"
        path = (*path, table.name)
        match rule:
            case "run":
                return self.window.is_selected(alias)
            case "event":
                return self._event(table, alias, path)
            case "follow":
                return self._with_rows_above(table, alias, path, self._follow)
            case "date":
                return self._with_rows_above(table, alias, path, self._date)
            case _:
                return None

    def _table(self, name: str) -> Table:
        return self.window.catalog.tables[name]

    def _event(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition:
        conditions = [self.window.in_window(alias, table), *self._used_by_a_run(table, alias, path)]
        return sql.SQL(" OR ").join(sql.SQL("({})").format(condition) for condition in conditions)

    def _used_by_a_run(self, event: Table, alias: str, path: tuple[str, ...]) -> Iterable[Condition]:
        """Yield one condition per table of Airflow's that links events to the runs that used them."""
        for link in (table for name, table in self.window.catalog.tables.items() if name in AIRFLOW_TABLES):
            to_event = [key for key in link.foreign_keys if key.parent == event.name]
            to_run = [key for key in link.foreign_keys if key.parent == RUN_TABLE]
            link_alias = f"t{len(path)}"
            for event_key, run_key in ((first, second) for first in to_event for second in to_run):
                run = self._exists(run_key, link_alias, (*path, link.name))
                linked = pairs(event_key, link_alias, alias)
                template = sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {} AND {})")
                yield template.format(self._relation(link), sql.Identifier(link_alias), linked, run)

    def _follow(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition | None:
        parents = self._parents(table, alias, path, by_key_only=table.name in self.window.by_key_only)
        return _all_exported(parents) if parents else None

    def _date(self, table: Table, alias: str, path: tuple[str, ...]) -> Condition:
        own = self.window.dated(alias, table)
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
        return [
            (_missing(table, alias, key), self._exists(key, alias, path))
            for key in self.references(table, path, by_key_only=by_key_only)
        ]

    def references(self, table: Table, path: tuple[str, ...], *, by_key_only: bool = False) -> list[ForeignKey]:
        """Return the references to windowed rows that together decide about a row, that to its run first."""
        found: list[ForeignKey] = []
        tables = self.window.catalog.tables
        direct = not by_key_only and table.has(*RUN_KEY) and RUN_TABLE in tables and table.name != RUN_TABLE
        if direct:
            found.append(ForeignKey("", RUN_TABLE, RUN_KEY, RUN_KEY, enforced=False))
        for key in table.foreign_keys:
            windowed = key.parent in self.window.windowed
            if windowed and not (direct and self.decided_by_run(key, path)):
                found.append(_followed(table, key))
        return found

    def decided_by_run(self, key: ForeignKey, path: tuple[str, ...]) -> bool:
        """Return whether the parent is there, of the same dag run as its child, and follows nothing else."""
        parent = self._table(key.parent)
        pairs = set(zip(key.columns, key.parent_columns, strict=True))
        if not parent.has(*RUN_KEY) or not all((name, name) in pairs for name in RUN_KEY) or parent.name in path:
            return False
        return parent.name == RUN_TABLE or (
            key.enforced
            and self.window.rules[parent.name] == "follow"
            and len(self.references(parent, (*path, parent.name))) == 1
        )

    def _with_rows_above(self, table: Table, alias: str, path: tuple[str, ...], rule: _Rule) -> Condition | None:
        """Return the condition of a rule, for a row and for all rows of its own table that are above it.

        A table that refers to itself holds trees: a row can be loaded if the one above it is, and so on. UNION takes
        each of them once, so the search ends in a ring of rows too.
        """
        condition = rule(table, alias, path)
        keys = [key for key in self.references(table, path, by_key_only=True) if key.parent == table.name]
        if condition is None or not keys:
            return condition
        row, below = f"a{len(path)}", f"b{len(path)}"
        columns = dict.fromkeys(name for key in keys for name in key.columns)
        template = sql.SQL(
            "({condition}) AND NOT EXISTS (WITH RECURSIVE above AS ("
            "SELECT {columns}, {row}.tableoid, ({exported}) IS TRUE AS exported FROM {table} AS {row} WHERE {first} "
            "UNION SELECT {columns}, {row}.tableoid, ({exported}) IS TRUE "
            "FROM above AS {below} JOIN {table} AS {row} ON {next}) SELECT FROM above WHERE NOT exported)"
        )
        return template.format(
            condition=condition,
            exported=rule(table, row, path),
            columns=sql.SQL(", ").join(sql.Identifier(row, name) for name in columns),
            table=self._relation(table),
            row=sql.Identifier(row),
            below=sql.Identifier(below),
            first=_refers(keys, alias, row),
            next=_refers(keys, below, row),
        )

    def _exists(self, key: ForeignKey, alias: str, path: tuple[str, ...]) -> Condition:
        parent, parent_alias = self._table(key.parent), f"t{len(path)}"
        # Of a row of the same table it is enough here that it is there, see _with_rows_above.
        condition = None if parent.name == path[-1] else self.of(parent, parent_alias, path)
        return sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {} AND ({}))").format(
            self._relation(parent),
            sql.Identifier(parent_alias),
            pairs(key, alias, parent_alias),
            condition if condition is not None else sql.SQL("true"),
        )

    def _relation(self, table: Table) -> Condition:
        self.read.add(table.name)
        return relation(table)


def _all_exported(parents: Sequence[tuple[Condition | None, Condition]]) -> Condition:
    return sql.SQL(" AND ").join(
        sql.SQL("({} OR {})").format(missing, parent) if missing is not None else parent for missing, parent in parents
    )


def _refers(keys: Sequence[ForeignKey], child: str, parent: str) -> Condition:
    """Return whether a row refers to another one by any of these keys."""
    return sql.SQL(" OR ").join(
        sql.SQL("({})").format(
            sql.SQL(" AND ").join([pairs(key, child, parent), *([in_heaps(child, key.heaps)] if key.heaps else [])])
        )
        for key in keys
    )


def _followed(table: Table, key: ForeignKey) -> ForeignKey:
    if key.period:
        raise SourceError(
            f"{table.name} refers to a PERIOD of {key.parent} ({', '.join(key.columns)}), which the window cannot "
            "follow: export with max_age_in_days null"
        )
    return key


def _missing(table: Table, alias: str, key: ForeignKey) -> Condition | None:
    """Return when a reference is not made; None when that cannot be.

    One of its columns is NULL (MATCH SIMPLE), or the row lies in a heap that does not have the key.
    """
    nullable = [column for column in table.columns if column.name in key.columns and not column.not_null]
    tests = [sql.SQL("{} IS NULL").format(sql.Identifier(alias, column.name)) for column in nullable]
    if key.heaps:
        tests.append(sql.SQL("NOT {}").format(in_heaps(alias, key.heaps)))
    return sql.SQL("({})").format(sql.SQL(" OR ").join(tests)) if tests else None
