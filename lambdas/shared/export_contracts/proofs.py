"""The proofs that lie beside the exports. One that cannot be read proves nothing, and is as if it were not there."""

from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from export_contracts.fields import DocumentError
from export_contracts.layout import Layout
from export_contracts.proof import Proof


def proof_of(store: ObjectStore, layout: Layout, identifier: str) -> Proof | None:
    """Return the proof of the export with this id, or None.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    return _read(store, layout.proof_key(identifier))


def newest_restorable(store: ObjectStore, layout: Layout) -> Proof | None:
    """Return the proof of the newest export that is proven to restore, or None.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    proofs = (_read(store, key) for key in reversed(store.all_keys(f"{layout.root}/_proofs/")))
    return next((proof for proof in proofs if proof and proof.restorable), None)


def said(proof: Proof) -> str:
    """Return a proof in one line, for people."""
    when = f"{proof.finished:%Y-%m-%d}"
    if proof.restorable:
        return f"proven restorable on {when}: the content of {proof.contents} of {proof.tables} tables compared"
    return f"NOT restorable when tried on {when}: {one_line(proof.problems[0], 300)}"


def _read(store: ObjectStore, key: str) -> Proof | None:
    try:
        found = store.read(key)
        return Proof.from_bytes(found.body) if found else None
    except (ArchivedObjectError, DocumentError):
        return None
