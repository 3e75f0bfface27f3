"""One snapshot for all groups of an export.

The first run that writes the claim `_snapshot.json` (conditional put) shares the snapshot it has exported; the
others import it. A claim becomes visible only after its snapshot is exported. Whoever cannot import uses a snapshot
of its own and says why: nobody guesses, and nobody waits longer than the bound.

AWS assumed: what stands between a Glue run and the database of MWAA gives a transaction one connection to one server,
as PgBouncer's transaction mode does, so that all runs can import a snapshot.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from metadata_export.errors import ExportError, SnapshotError, StorageError
from metadata_export.log import info, warning
from metadata_export.siblings import EndedGroups
from metadata_export.source import Connection, Source, naming, rollback
from metadata_export.storage import Store

CLAIM = "_snapshot.json"
POLL_SECONDS = 2.0
CLAIM_ATTEMPTS = 5
# The id alone is not proof: a restarted server hands out the same ids again.
EXPORT = "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::text"
CURRENT = "SELECT pg_catalog.pg_current_snapshot()::text"


@dataclass(frozen=True)
class Party:
    """The run that asks, and the export it belongs to."""

    group: str
    groups: tuple[str, ...]
    job_run_id: str
    runs_prefix: str


@dataclass(frozen=True)
class Claim:
    """Who shares a snapshot, and which: its id alone is not proof."""

    job_run_id: str
    group: str
    snapshot_id: str
    moment: str


@dataclass(frozen=True)
class Snapshot:
    """The snapshot this run reads: its tasks import `id`."""

    id: str
    role: Literal["claimed", "imported", "own"]
    claimed_by: str
    reason: str | None
    """why it is not the shared one"""
    claim: Claim | None = None
    """on the shared one; None: it is the run's own"""

    @property
    def consistency(self) -> Literal["snapshot", "per-group"]:
        """Return what the manifest says: groups that say `snapshot` and name the same claimer saw the same moment."""
        return "per-group" if self.reason else "snapshot"


@dataclass(frozen=True)
class SharedSnapshot:
    """The protocol between the runs of one export."""

    party: Party
    store: Store

    def open(self, source: Source, connection: Connection) -> Snapshot:
        """Begin the connection's transaction with the export's snapshot, or with one of its own.

        Raises:
            SourceError, StorageError: the database or S3 refuses.
        """
        if self.party.groups == (self.party.group,):
            return self._own(source, connection, reason=None)
        for _ in range(CLAIM_ATTEMPTS):
            claim = self.store.get_json(self._claim_key)
            if claim is not None:
                return self._import(source, connection, claim)
            snapshot = self._claim(source, connection)
            if snapshot is not None:
                return snapshot
        raise StorageError(
            f"the snapshot claim {self._claim_key} can be neither written nor read: start the export again"
        )

    def announce(self, role: str) -> None:
        """Tell the holder that this group needs it no longer: it has imported the snapshot, or never will."""
        self.store.put_json(self._marker(self.party.group), {"job_run_id": self.party.job_run_id, "role": role})

    def has_failed(self, claim: Claim) -> bool:
        """Return whether the run that shares its snapshot has announced that it fails."""
        marker = self.store.get_json(self._marker(claim.group)) or {}
        return (marker.get("job_run_id"), marker.get("role")) == (claim.job_run_id, "failed")

    @contextmanager
    def announcing_failure(self) -> Iterator[None]:
        """Let the holder of the snapshot go at once when this run fails before it could import it."""
        try:
            yield
        except BaseException:
            try:
                self.announce("failed")
            except ExportError as error:
                warning(f"could not tell the other groups of the failure: {error}")
            raise

    def hold(self, deadline: float, ended: EndedGroups) -> None:
        """Keep the snapshot, whose transaction is open, until nobody needs it any more; see `wait_for_groups`."""
        waiting = self.wait_for_groups(deadline, ended)
        if waiting:
            why = "the bound has passed" if time.monotonic() >= deadline else "their runs have ended"
            warning(f"released the snapshot though {', '.join(waiting)} have not imported it: {why}")

    def wait_for_groups(
        self, deadline: float, ended: EndedGroups = frozenset, sleep: Callable[[float], None] = time.sleep
    ) -> tuple[str, ...]:
        """Wait until each group has announced itself or has ended; return who has not.

        Args:
            deadline: on time.monotonic's clock; nobody is waited for longer.
            ended: tells which groups will never announce themselves, their run being dead.
        """
        waiting: tuple[str, ...] = self.party.groups
        while True:
            present = set(self.store.keys(f"{self.party.runs_prefix}_snapshot_"))
            waiting = tuple(group for group in self.party.groups if self._marker(group) not in present)
            if not waiting or time.monotonic() >= deadline or ended().issuperset(waiting):
                return waiting
            sleep(POLL_SECONDS)

    @property
    def _claim_key(self) -> str:
        return f"{self.party.runs_prefix}{CLAIM}"

    def _marker(self, group: str) -> str:
        return f"{self.party.runs_prefix}_snapshot_{group}.json"

    def _claim(self, source: Source, connection: Connection) -> Snapshot | None:
        source.begin(connection)
        snapshot_id, moment = _export(connection)
        me = self.party.job_run_id
        claim = {
            "job_run_id": me,
            "group": self.party.group,
            "snapshot_id": snapshot_id,
            "moment": moment,
            "claimed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        # A put whose answer was lost is repeated and then refused although it succeeded: the claim itself tells.
        written = self.store.put_json_if_absent(self._claim_key, claim)
        if written or (self.store.get_json(self._claim_key) or {}).get("job_run_id") == me:
            info(f"claimed the export's snapshot {snapshot_id}", snapshot_id=snapshot_id)
            return Snapshot(snapshot_id, "claimed", me, None, Claim(me, self.party.group, snapshot_id, moment))
        rollback(connection)
        return None

    def _import(self, source: Source, connection: Connection, claim: dict[str, Any]) -> Snapshot:
        claimer = str(claim["job_run_id"])
        try:
            source.begin(connection, str(claim["snapshot_id"]))
            _check_moment(connection, claim)
        except SnapshotError as error:
            rollback(connection)
            since = f"claimed by {claimer} (group {claim['group']}) at {claim['claimed_at']}"
            return self._own(source, connection, reason=f"the export's snapshot, {since}, is gone: {error}")
        snapshot_id, moment = _export(connection)
        info(f"imported the export's snapshot from {claimer}", snapshot_id=snapshot_id, claimed_by=claimer)
        shared = Claim(claimer, str(claim["group"]), str(claim["snapshot_id"]), moment)
        return Snapshot(snapshot_id, "imported", claimer, None, shared)

    def _own(self, source: Source, connection: Connection, reason: str | None) -> Snapshot:
        source.begin(connection)
        snapshot_id, _ = _export(connection)
        info(f"took a snapshot of its own {snapshot_id}", snapshot_id=snapshot_id, reason=reason)
        return Snapshot(snapshot_id, "own", self.party.job_run_id, reason)


def _export(connection: Connection) -> tuple[str, str]:
    with naming("export a snapshot"):
        snapshot_id, moment = connection.execute(EXPORT).fetchall()[0]
    return str(snapshot_id), str(moment)


def _check_moment(connection: Connection, claim: dict[str, Any]) -> None:
    with naming("read the snapshot"):
        moment = str(connection.execute(CURRENT).fetchall()[0][0])
    if moment != claim["moment"]:
        raise SnapshotError(
            f"snapshot {claim['snapshot_id']} is of another moment: {moment} instead of {claim['moment']}"
        )
