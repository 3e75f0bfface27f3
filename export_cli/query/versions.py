"""The exports that are asked about, and each table as it is in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property

from export_contracts.exported_table import ExportedTable

from export_cli.errors import InvalidOptionError, NotFoundError
from export_cli.exports import Export, Exports
from export_cli.query.keys import primary_key, unique_key

_LOOKED_AT = 20


@dataclass(frozen=True)
class Version:
    """A table as an export has it."""

    export_id: str
    entry: ExportedTable
    masked: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Names of its columns that tell something: those that are masked are NULL in every row."""
        return frozenset(column.name for column in self.entry.columns) - frozenset(self.masked)

    def key(self, table: str) -> tuple[str, ...] | None:
        """Return its primary key: what the summary says, else what is known of Airflow. None: none that tells."""
        key = self.entry.primary_key or primary_key(table, self.columns)
        return key if key and self.columns >= set(key) else None

    def has_key(self, table: str, key: tuple[str, ...]) -> bool:
        """Say whether this is its primary key; of an older export of an unknown table, whether it can be."""
        return (self.key(table) or key) == key and self.columns >= set(key)


@dataclass(frozen=True)
class Key:
    """The columns that tell a table's rows from each other, and the exports that do not have this key."""

    columns: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """The exports that are asked about, newest first, and whether their history is, or just the one."""

    exports: tuple[Export, ...]
    history: bool

    @cached_property
    def tables(self) -> dict[str, tuple[Version, ...]]:
        """Every table that some export has, newest version first."""
        found: dict[str, list[Version]] = {}
        for export in self.exports:
            summary = export.read()
            for table, entry in summary.details.items():
                masked = summary.masked_columns.get(table, ())
                found.setdefault(table, []).append(Version(export.export_id, entry, masked))
        return {table: tuple(found[table]) for table in sorted(found)}

    def key(self, table: str) -> Key | None:
        """Return the key that the history of a table goes by, or None when it is not known.

        It is the newest version's primary key. Where older versions have another one, it is a unique key that all of
        them have; where there is none, these versions are left out.
        """
        versions = self.tables[table]
        newest, shared = versions[0].key(table), unique_key(table)
        if newest is None:
            return None
        others = [version for version in versions if not version.has_key(table, newest)]
        if others and shared and all(version.columns >= set(shared) for version in versions):
            return Key(shared, ())
        return Key(newest, tuple(version.export_id for version in others))


def one_export(exports: Exports, reference: str) -> Scope:
    """Return an export by its id, by ``latest`` or ``newest``, or the newest complete one of a day (2026-12-11, UTC).

    Raises:
        InvalidOptionError: it is none of these.
        NotFoundError: there is none.
        UnreadableSummaryError: its summary cannot be read.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    day = _day(reference)
    found = exports.find(reference) if day is None else _of_day(exports, day)
    found.read()
    return Scope((found,), history=False)


def all_exports(exports: Exports, since: str | None) -> tuple[Scope, tuple[Export, ...]]:
    """Return the history, and the exports that cannot be read and so are not in it.

    Args:
        exports: of an environment.
        since: day; older exports are not in it.

    Raises:
        InvalidOptionError: ``since`` is no day.
        NotFoundError: there is no export.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    first = _moment(since)
    found = exports.newest(None, since=first)
    readable = tuple(export for export in found if export.summary is not None)
    if not readable:
        raise NotFoundError(f"There is no export that can be read{f' since {since}' if since else ''}.")
    return Scope(readable, history=True), tuple(export for export in found if export.summary is None)


def two_exports(exports: Exports) -> Scope:
    """Return the newest two exports that are COMPLETE and full, to compare them.

    Raises:
        NotFoundError: there are not two.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    found = tuple(filter(exports.is_backup, exports.newest(_LOOKED_AT)))[:2]
    if len(found) < 2:
        raise NotFoundError(
            f"This question compares the newest two exports that are COMPLETE and full: of the newest {_LOOKED_AT}, "
            f"{len(found)} is. The command list shows them."
        )
    return Scope(found, history=True)


def _of_day(exports: Exports, day: date) -> Export:
    # Only those of the day are read: newest first, from the day's end.
    end = datetime.combine(day, time.max, UTC)
    found = exports.newest(None, before=f"{end:%Y%m%dT%H%M%SZ}~", since=f"{day:%Y%m%d}")
    complete = [export for export in found if export.complete]
    if not complete:
        there = ", ".join(f"{export.export_id} is not complete" for export in found) or "the command list shows all"
        raise NotFoundError(f"There is no COMPLETE export of {day}: {there}.")
    return next(filter(exports.is_full, complete), complete[0])


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if "-" in text else None
    except ValueError as error:
        raise InvalidOptionError(f"{text} is no day. Allowed is a date such as 2026-12-11.") from error


def _moment(since: str | None) -> str:
    if since is None:
        return ""
    day = _day(since)
    if day is None:
        raise InvalidOptionError(f"--since {since} is no day. Allowed is a date such as 2026-12-11.")
    return f"{day:%Y%m%d}"


def names_like(tables: Sequence[str], schema: str, name: str) -> str | None:
    """Return the table that a name in SQL means, which is not told by upper and lower case; None: no such table."""
    wanted = name if schema.lower() in ("", "main", "public", "versions") else f"{schema}.{name}"
    by_name = {table.lower(): table for table in reversed(tables)}
    return wanted if wanted in tables else by_name.get(wanted.lower())
