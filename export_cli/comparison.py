"""What changed between two exports: facts, tables, rows, columns, and whether the rows are the same ones.

From their summaries alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from export_contracts.exported_table import ExportedTable
from export_contracts.summary import Summary

FACTS = (
    "status",
    "environment",
    "airflow_version",
    "server_version",
    "alembic_heads",
    "max_age_days",
    "selection",
    "scope",
    "consistency",
)


@dataclass(frozen=True)
class TableChange:
    """A table that differs. ``before`` or ``after`` is None when it is not in that export; rows otherwise."""

    table: str
    before: int | None
    after: int | None
    columns: tuple[str, ...] = ()

    @property
    def difference(self) -> int:
        """How many rows more there are now."""
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True)
class Difference:
    """Everything that differs. ``by_content``: equal numbers of rows were compared by what is in them, too."""

    facts: Mapping[str, tuple[Any, Any]]
    tables: tuple[TableChange, ...]
    by_content: bool = True

    def __bool__(self) -> bool:
        """Say whether there is a difference."""
        return bool(self.facts or self.tables)


def compare(before: Summary, after: Summary) -> Difference:
    """Return what differs between two summaries."""
    was, now = before.to_json(), after.to_json()
    facts = {name: (was.get(name), now.get(name)) for name in FACTS if was.get(name) != now.get(name)}
    old, new = before.details, after.details
    tables = (_change(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()))
    by_content = all(entry.content_checksum for entry in (*old.values(), *new.values()))
    return Difference(facts, tuple(change for change in tables if change), by_content)


def _change(table: str, old: ExportedTable | None, new: ExportedTable | None) -> TableChange | None:
    before, after = (None if entry is None else entry.rows for entry in (old, new))
    columns = tuple(_columns(old, new)) if old and new else ()
    return None if before == after and not columns else TableChange(table, before, after, columns)


def _columns(old: ExportedTable, new: ExportedTable) -> Iterator[str]:
    if old.group != new.group:
        yield f"group {old.group} -> {new.group}"
    if old.window != new.window:
        yield f"window {old.window} -> {new.window}"
    was, now = ({column.name: column.type for column in entry.columns} for entry in (old, new))
    if list(was.items()) == list(now.items()) and old.rows == new.rows and _other_content(old, new):
        yield "other values"
    yield from (f"-{name} {was[name]}" for name in was if name not in now)
    yield from (f"+{name} {now[name]}" for name in now if name not in was)
    yield from (f"{name} {was[name]} -> {now[name]}" for name in now if name in was and was[name] != now[name])
    if [name for name in was if name in now] != [name for name in now if name in was]:
        yield "order of the columns"


def _other_content(old: ExportedTable, new: ExportedTable) -> bool:
    """Return whether as many rows are others; an export from before 0.2.0 does not say."""
    was, now = old.content_checksum, new.content_checksum
    return bool(was and now and was != now)
