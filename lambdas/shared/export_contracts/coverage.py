"""Does one export bring every table and every day that another would? The one place where that is decided.

COMPLETE says that an export brought what it was asked for. It is a backup of the environment only if that covers what
the stack's own parameters ask for: such an export is ``full``, every other one ``partial``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeGuard

from export_runtime.text import one_line

from export_contracts.summary import FULL, Summary

_NAMES_SHOWN = 12


@dataclass(frozen=True)
class Coverage:
    """Which tables, and how far back. No name in ``include_tables``: all tables; no age: everything.

    A name is that of a table in the schema public, or ``<schema>.<table>``. Without a schema it also means the tables
    of that name in other schemas.
    """

    include_tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()
    max_age_in_days: int | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self | None:
        """Return what its export was asked for, as the lock says it; None when it does not."""
        selection = document.get("selection")
        if not isinstance(selection, dict) or "max_age_days" not in document:
            return None
        include, exclude = selection.get("include_tables"), selection.get("exclude_tables")
        days = document["max_age_days"]
        if not (_is_names(include) and _is_names(exclude) and (days is None or type(days) is int)):
            return None
        return cls(tuple(include), tuple(exclude), days)

    def to_json(self) -> dict[str, Any]:
        """Return the fields in which the lock says it."""
        selection = {"include_tables": list(self.include_tables), "exclude_tables": list(self.exclude_tables)}
        return {"selection": selection, "max_age_days": self.max_age_in_days}

    def takes(self, table: str) -> bool:
        """Say whether a table is wanted."""
        return not _names(self.exclude_tables, table) and (
            not self.include_tables or _names(self.include_tables, table)
        )

    def covers(self, wanted: "Coverage") -> bool:
        """Say whether this brings everything that is wanted. More does no harm, also tables that nobody knows yet."""
        return self._reaches_back(wanted.max_age_in_days) and self._has_tables(wanted)

    def _reaches_back(self, days: int | None) -> bool:
        return self.max_age_in_days is None or (days is not None and self.max_age_in_days >= days)

    def _has_tables(self, wanted: "Coverage") -> bool:
        if self.include_tables and not wanted.include_tables:
            return False  # a list never has the tables that a later Airflow adds
        named = (table for table in wanted.include_tables if wanted.takes(table))
        left_out = (table for table in self.exclude_tables if wanted.takes(table))
        return all(map(self.takes, named)) and not any(left_out)

    def __str__(self) -> str:
        """Return it for people, on one line: ``only dag, xcom; last 7 days``."""
        tables = f"only {_listed(self.include_tables)}" if self.include_tables else "all tables"
        without = f" but {_listed(self.exclude_tables)}" if self.exclude_tables else ""
        days = self.max_age_in_days
        age = "any age" if days is None else "last day" if days == 1 else f"last {days} days"
        return f"{tables}{without}; {age}"


def bare_name(name: str) -> str:
    """Return the name of a table without its schema, if it has one."""
    return name.rpartition(".")[2]


def coverage_of(summary: Summary) -> Coverage | None:
    """Return what an export was asked for; None when its summary does not say it."""
    asked = summary.selection
    return Coverage(asked.include_tables, asked.exclude_tables, summary.max_age_days) if asked else None


def is_backup(summary: Summary, environment: str, wanted: Coverage) -> bool:
    """Say whether an export of this environment is COMPLETE and covers what is wanted.

    The summary's own ``scope`` does not count: it was written under the stack parameters of that day.
    """
    had = coverage_of(summary)
    return summary.complete and summary.environment == environment and had is not None and had.covers(wanted)


def is_full(summary: Summary, stack: Coverage | None) -> bool:
    """Say whether an export was asked for what the stack's own parameters ask for.

    Args:
        summary: of the export.
        stack: what the parameters ask for. None: nobody knows; then the summary's word counts, or without it, whether
            all tables were asked for.
    """
    had = coverage_of(summary)
    if stack is not None:
        return had is not None and had.covers(stack)
    if summary.scope is not None:
        return summary.scope == FULL
    return had is not None and not had.include_tables and not had.exclude_tables


def is_same_kind(summary: Summary, environment: str, wanted: Coverage) -> bool:
    """Say whether an export of this environment was asked for the same tables and age.

    The same, not only as much: figures of other tables or of another window cannot be compared.
    """
    return summary.environment == environment and coverage_of(summary) == wanted


def _names(names: Iterable[str], table: str) -> bool:
    return table in names or bare_name(table) in names


def _is_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _listed(names: tuple[str, ...]) -> str:
    rest = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(one_line(name, 80) for name in names[:_NAMES_SHOWN]) + rest
