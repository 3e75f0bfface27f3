"""The dag runs of the window, found by the holder of the export's snapshot and told to the groups that read the same.

`_window.json` lies beside the claim. It counts only for the snapshot that it names. Whoever is not told in time finds
the same runs by itself, as long as it reads the same snapshot; a run that reads another one asks nobody.
"""

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metadata_export.errors import ExportError
from metadata_export.indexes import Indexes
from metadata_export.log import info, warning
from metadata_export.run_set import INTEGERS, RunSet, pack, unpack
from metadata_export.selected_runs import SelectedRuns, find_selected_runs
from metadata_export.siblings import EndedGroups
from metadata_export.snapshot import Claim, SharedSnapshot, Snapshot
from metadata_export.source import Connection, naming
from metadata_export.window import Window

WINDOW = "_window.json"
FORMAT_VERSION = 1
POLL_SECONDS = 0.5
POLLS_FOR_A_LOOK = 10  # after so many it is asked whether there will ever be an answer
WAIT_SECONDS = 300.0


@dataclass(frozen=True)
class SharedWindow:
    """One run's side of it.

    Args:
        export_id: of the export.
        shared: between the runs of the export.
        snapshot: that this run reads.
        ended: tells which groups will tell nothing any more, their run being dead.
    """

    export_id: str
    shared: SharedSnapshot
    snapshot: Snapshot
    ended: EndedGroups = frozenset
    sleep: Callable[[float], None] = time.sleep

    def decide(self, connection: Connection, window: Window, indexes: Indexes, *, needed: bool) -> SelectedRuns | None:
        """Return the dag runs of the window; see `selected_runs.DecideRuns`."""
        claim = self.snapshot.claim
        if not window.has_runs or not (needed or self.snapshot.role == "claimed"):
            return None
        if claim is None:
            return find_selected_runs(connection, window, indexes)
        if self.snapshot.role == "claimed":
            return self._find_and_tell(connection, window, indexes, claim, needed=needed)
        return self._wait(connection, window, claim) or find_selected_runs(connection, window, indexes)

    @property
    def key(self) -> str:
        """Where the window is told."""
        return f"{self.shared.party.runs_prefix}{WINDOW}"

    def _find_and_tell(
        self, connection: Connection, window: Window, indexes: Indexes, claim: Claim, *, needed: bool
    ) -> SelectedRuns | None:
        try:
            selected = find_selected_runs(connection, window, indexes, final=needed)
        except ExportError as error:
            self._tell({**self._identity(window, claim), "error": str(error)})
            if needed or error.transient:
                raise
            warning(f"the other groups must find the dag runs of the window by themselves: {error}")
            return None
        self._tell({**self._identity(window, claim), **to_json(selected)})
        return selected if needed else None

    def _tell(self, document: dict[str, Any]) -> None:
        try:
            self.shared.store.put_json(self.key, document)
        except ExportError as error:
            warning(f"the other groups must find the dag runs of the window by themselves: {error}")

    def _wait(self, connection: Connection, window: Window, claim: Claim) -> SelectedRuns | None:
        polls = round(WAIT_SECONDS / POLL_SECONDS)
        for poll in range(polls):
            document = self._read(self._identity(window, claim))
            if document is not None:
                return _told(document, claim)
            if poll % POLLS_FOR_A_LOOK == POLLS_FOR_A_LOOK - 1:
                _talk(connection)
                if self._has_ended(claim):
                    warning(f"finding the dag runs of the window again: the run of the group {claim.group} has ended")
                    return None
            self.sleep(POLL_SECONDS)
        warning(f"finding the dag runs of the window again: {claim.group} has not told them in {WAIT_SECONDS:.0f} s")
        return None

    def _has_ended(self, claim: Claim) -> bool:
        return self.shared.has_failed(claim) or claim.group in self.ended()

    def _read(self, identity: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the holder has told; nothing that names another export, window or snapshot."""
        try:
            document = self.shared.store.get_json(self.key)
        except ValueError:
            return {"error": "it is no JSON"}
        if not isinstance(document, dict):
            return None if document is None else {"error": "it is no JSON object"}
        return document if identity.items() <= document.items() else {"error": "it is of another snapshot or window"}

    def _identity(self, window: Window, claim: Claim) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "export_id": self.export_id,
            "cutoff": window.cutoff.isoformat() if window.cutoff else None,
            "job_run_id": claim.job_run_id,
            "snapshot_id": claim.snapshot_id,
            "moment": claim.moment,
        }


def to_json(selected: SelectedRuns) -> dict[str, Any]:
    """Return the part of the document that tells the dag runs."""
    if selected.runs is None:
        return {"error": selected.error}
    ids = selected.runs.ids
    packed = {"packed": pack(ids)} if isinstance(ids, array) else {"ids": list(ids)}
    runs = {"type": selected.runs.type, "selected": len(ids), "total": selected.total, **packed}
    return {"error": None, "runs": runs, "early_runs": selected.early, "unread_evidence": list(selected.unread)}


def from_json(document: dict[str, Any]) -> SelectedRuns:
    """Return the dag runs that a document tells.

    Raises:
        ExportError, KeyError, TypeError, ValueError: it is damaged.
    """
    runs, early, unread = document["runs"], document["early_runs"], document["unread_evidence"]
    kind, selected, total = runs["type"], runs["selected"], runs["total"]
    fields = ((kind, str), (selected, int), (total, int), (early, bool), (unread, list))
    if wrong := [value for value, wanted in fields if not isinstance(value, wanted)]:
        raise TypeError(f"{wrong[0]!r} is of another type")
    ids = unpack(runs["packed"]) if kind in INTEGERS else tuple(str(each) for each in runs["ids"])
    if len(ids) != selected:
        raise ValueError(f"it tells {len(ids)} dag runs instead of {selected}")
    return SelectedRuns(RunSet(ids, kind), total, early, tuple(map(str, unread)))


def _talk(connection: Connection) -> None:
    """Keep the transaction that has the snapshot: an idle one is ended, and RDS Proxy drops silent clients."""
    with naming("wait for the dag runs of the window"):
        connection.execute("SELECT 1")


def _told(document: dict[str, Any], claim: Claim) -> SelectedRuns | None:
    if document.get("error"):
        warning(f"finding the dag runs of the window again: {claim.job_run_id} has not told them: {document['error']}")
        return None
    try:
        selected = from_json(document)
    except (ExportError, KeyError, TypeError, ValueError) as error:
        warning(f"finding the dag runs of the window again: {WINDOW} is damaged ({error!r})")
        return None
    number = len(selected.runs.ids) if selected.runs else 0
    info(f"{number:,} dag runs belong to the window, as {claim.job_run_id} has found", selected_runs=number)
    return selected
