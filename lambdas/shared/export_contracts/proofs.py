"""The proofs that lie beside the exports. One that cannot be read proves nothing, and is as if it were not there."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from export_contracts.fields import DocumentError
from export_contracts.layout import Layout
from export_contracts.past_exports import first_day
from export_contracts.proof import Proof

PROVEN_AGE = "ProvenRestorableAge"
"""the metric, in days"""
WATCH = "proof"
"""the metric's dimension `service`: whichever function tells it, an alarm looks at one series"""


def proof_of(store: ObjectStore, layout: Layout, identifier: str) -> Proof | None:
    """Return the proof of the export with this id, or None.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    return _read(store, layout.proof_key(identifier))


def newest_restorable(store: ObjectStore, root: str) -> Proof | None:
    """Return the proof of the newest export that is proven to restore, or None.

    Args:
        root: prefix of the environment's exports, without a slash at its end.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    return next((proof for proof in _newest_first(store, root) if proof.restorable), None)


def newest_trial(store: ObjectStore, root: str) -> Proof | None:
    """Return the proof of the newest export that was tried, whatever came of it; else as ``newest_restorable``."""
    return next(_newest_first(store, root), None)


def proven_age_days(store: ObjectStore, root: str, proof: Proof | None, now: datetime) -> float | None:
    """Return how many days ago an export was proven to restore; before the first proof, since there are exports.

    Args:
        root: as for ``newest_restorable``.
        proof: as that returns it.
        now: UTC.

    Returns:
        None when there is no export either.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    since = proof.finished if proof else first_day(store, root)
    return None if since is None else max(0.0, (now - since) / timedelta(days=1))


def said(proof: Proof) -> str:
    """Return a proof in one line, for people."""
    when = f"{proof.finished:%Y-%m-%d}"
    if proof.restorable:
        return f"proven restorable on {when}: the content of {proof.contents} of {proof.tables} tables compared"
    return f"NOT restorable when tried on {when}: {one_line(proof.problems[0], 300)}"


def _newest_first(store: ObjectStore, root: str) -> Iterator[Proof]:
    proofs = (_read(store, key) for key in reversed(store.all_keys(f"{root}/_proofs/")))
    return (proof for proof in proofs if proof)


def _read(store: ObjectStore, key: str) -> Proof | None:
    try:
        found = store.read(key)
        return Proof.from_bytes(found.body) if found else None
    except (ArchivedObjectError, DocumentError):
        return None
