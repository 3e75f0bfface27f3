"""The exports of an environment, newest first, and one of them by its name."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile

from export_contracts.coverage import Coverage, coverage_of, is_full
from export_contracts.fields import DocumentError
from export_contracts.layout import SUMMARY_NAME, Layout, export_id, report_key, started_at
from export_contracts.past_exports import read_pointer, read_summary
from export_contracts.summary import FULL, PARTIAL, Summary
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore
from export_runtime.text import shown

from export_cli.errors import InvalidOptionError, NotFoundError, UnreadableSummaryError

_ID = re.compile(r"\d{8}T\d{6}Z")
_SUMMARY = re.compile(r"(\d{4})/(\d{2})/(\d{2})/export_summary_(\d{6})\.json\.gz$")
_AT_ONCE = 8
_SEARCHED = 100
NEWEST, LATEST = "newest", "latest"


@dataclass(frozen=True)
class Export:
    """An export whose summary exists. ``summary`` is None when it cannot be read; ``problem`` then says why."""

    key: str
    export_id: str
    summary: Summary | None
    problem: str | None = None

    @property
    def started(self) -> datetime:
        """When it started, UTC."""
        return started_at(self.export_id)

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there and verified."""
        return self.summary is not None and self.summary.complete

    @property
    def coverage(self) -> Coverage | None:
        """What was asked for; None when its summary does not say it."""
        return coverage_of(self.summary) if self.summary else None

    @property
    def folder(self) -> str:
        """Prefix of its objects, and of those of other exports of that day."""
        return f"{self.key.rpartition('/')[0]}/"

    @property
    def report_key(self) -> str:
        """Where its report is, if it has one."""
        return report_key(self.key)

    def read(self) -> Summary:
        """Return the summary.

        Raises:
            UnreadableSummaryError: it cannot be read.
        """
        if self.summary is None:
            raise UnreadableSummaryError(f"The summary of export {self.export_id} cannot be read: {self.problem}.")
        return self.summary


class Exports:
    """What the bucket holds of an environment."""

    def __init__(self, store: ObjectStore, layout: Layout, stack: Coverage | None = None) -> None:
        """Read only. ``stack``: what the stack's parameters ask for; None: not known, so each summary's word counts."""
        self._store, self._layout, self._stack = store, layout, stack

    def newest(self, limit: int | None, before: str = "~", since: str = "") -> list[Export]:
        """Return the newest exports, newest first.

        Args:
            limit: how many at most; None: all.
            before: export id; only older ones.
            since: export id or the beginning of one; none that is older.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        wanted = takewhile(lambda key: _id_of(key) >= since, self._keys())
        keys = list(islice((key for key in wanted if _id_of(key) < before), limit))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._read, keys))

    def oldest(self, limit: int) -> list[Export]:
        """Return the oldest exports, oldest first; arguments and errors as of ``newest``."""
        keys = list(islice(self._keys(newest_first=False), limit))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._read, keys))

    def find(self, reference: str) -> Export:
        """Return an export.

        Args:
            reference: an export id, ``latest`` (see there) or ``newest`` (whatever its verdict).

        Raises:
            InvalidOptionError: it is none of these.
            NotFoundError: there is no such export.
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        if reference == NEWEST:
            return self._first(self.newest(1))
        if reference == LATEST:
            return self.latest()
        if not _ID.fullmatch(reference):
            raise InvalidOptionError(
                f"{shown(reference)} names no export. Allowed is an id as the command list shows it, "
                f"{LATEST} or {NEWEST}."
            )
        return self._existing(reference)

    def latest(self) -> Export:
        """Return the newest COMPLETE export that is full.

        It is the one that latest.json names, unless that covers less: an older version pointed it to any COMPLETE
        export, and the stack's parameters change. Then the newest summaries are looked through.

        Raises:
            NotFoundError: there is none.
            UnreadableSummaryError: latest.json is not what it should be, or archived.
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        pointed = self._existing(self._pointed_id())
        # Nothing is known of an export that cannot be read, and an older one would silently pass for the latest.
        if pointed.summary is None or self.is_backup(pointed):
            return pointed
        newest = map(self._read, islice(self._keys(), _SEARCHED))
        found = next(filter(self.is_backup, newest), None)
        if found is None:
            asked = f"covers what the stack asks for ({self._stack})" if self._stack else "is full"
            raise NotFoundError(
                f"There is no COMPLETE export that {asked} among the newest {_SEARCHED}. latest.json names "
                f"{pointed.export_id}, which covers less: {pointed.coverage}. Start one: mwaa-metadata-export export "
                f"-e {self._layout.environment}"
            )
        return found

    def is_backup(self, export: Export) -> bool:
        """Say whether an export is COMPLETE and full."""
        return export.complete and self.is_full(export)

    def is_full(self, export: Export) -> bool:
        """Say whether an export was asked for all that the stack's parameters ask for."""
        return export.summary is not None and is_full(export.summary, self._stack)

    def scope(self, export: Export) -> str:
        """Return ``full``, or ``partial`` with what was asked for."""
        return FULL if self.is_full(export) else f"{PARTIAL}: {export.coverage or 'not known of what'}"

    def _existing(self, identifier: str) -> Export:
        key = self._layout.summary_key(_valid_start(identifier))
        if self._store.facts(key) is None:
            kept = replace(self._layout, base_prefix="kept").summary_key(_valid_start(identifier))
            hint = " It is kept: say --base-prefix kept." if kept != key and self._store.facts(kept) else ""
            raise NotFoundError(f"There is no export {identifier}: {self._store.uri(key)} does not exist.{hint}")
        return self._read(key)

    def _pointed_id(self) -> str:
        key = self._layout.latest_key
        try:
            pointer = read_pointer(self._store, key)
        except ArchivedObjectError as error:
            raise UnreadableSummaryError(str(error)) from error
        except DocumentError as error:
            raise UnreadableSummaryError(f"{self._store.uri(key)} is not a pointer to an export: {error}.") from error
        if pointer is None:
            raise NotFoundError(f"There is no COMPLETE and full export yet: {self._store.uri(key)} does not exist.")
        return pointer.export_id

    def _first(self, exports: list[Export]) -> Export:
        if not exports:
            raise NotFoundError(f"There is no export below {self._store.uri(self._layout.root)}/ yet.")
        return exports[0]

    def _keys(self, *, newest_first: bool = True) -> Iterator[str]:
        """Yield the keys of all summaries in order of time, looking only as far as somebody asks."""
        for year in self._folders(f"{self._layout.root}/", 4, newest_first):
            for month in self._folders(year, 2, newest_first):
                for day in self._folders(month, 2, newest_first):
                    keys = filter(_id_of, self._store.keys(f"{day}{SUMMARY_NAME}"))
                    yield from sorted(keys, reverse=newest_first)

    def _folders(self, prefix: str, digits: int, newest_first: bool) -> list[str]:
        folders = self._store.folders(prefix)
        found = (each for each in folders if re.fullmatch(rf"\d{{{digits}}}/", each[len(prefix) :]))
        return sorted(found, reverse=newest_first)

    def _read(self, key: str) -> Export:
        identifier = _id_of(key)
        try:
            summary = read_summary(self._store, key)
        except ArchivedObjectError:
            return Export(key, identifier, None, "it is archived; restore it from Glacier first")
        except DocumentError as error:
            return Export(key, identifier, None, str(error))
        return Export(key, identifier, summary, None if summary else "it is gone")


def _id_of(key: str) -> str:
    found = _SUMMARY.search(key)
    identifier = f"{found[1]}{found[2]}{found[3]}T{found[4]}Z" if found else ""
    return identifier if start_of(identifier) else ""


def _valid_start(identifier: str) -> datetime:
    started = start_of(identifier)
    if started is None:
        raise InvalidOptionError(f"{identifier} is no time, so it names no export.")
    return started


def start_of(identifier: str) -> datetime | None:
    """Return when an export with this id started; None: it is no id."""
    try:
        started = started_at(identifier)
    except ValueError:
        return None
    return started if export_id(started) == identifier else None
