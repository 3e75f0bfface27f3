"""Before the trial and after it: what is tried, and what became of that."""

import json
from dataclasses import dataclass

from export_contracts.fields import DocumentError
from export_contracts.layout import Layout
from export_contracts.past_exports import read_pointer, read_summary
from export_contracts.proof import Proof
from export_contracts.proofs import proof_of
from export_contracts.restore_plan import restore_plan
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from conduct_drill.errors import ExportNotRestorableError, ExportUnreadableError, NoProofError

_SHOWN = 5


@dataclass(frozen=True)
class Drill:
    """What is tried; nothing when there is no full export yet."""

    found: bool
    export_id: str = ""
    plan_uri: str = ""
    proof_uri: str = ""


def choose(store: ObjectStore, layout: Layout) -> Drill:
    """Write the plan of the newest full export, and return what the state machine needs of it.

    Raises:
        ExportUnreadableError: the pointer to it, or its summary, is missing or damaged.
        NotRestorableError: it lacks a table.
        ArchivedObjectError, AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    try:
        pointer = read_pointer(store, layout.latest_key)
        if pointer is None:
            return Drill(found=False)
        summary = read_summary(store, pointer.summary_key)
    except DocumentError as error:
        raise ExportUnreadableError(f"The newest export cannot be tried: {error}. {_REPAIR}") from error
    if summary is None:
        missing = store.uri(pointer.summary_key)
        raise ExportUnreadableError(f"The newest export cannot be tried: {missing} is missing. {_REPAIR}")
    plan = json.dumps(restore_plan(summary, layout.bucket)).encode()
    key = layout.drill_key(summary.export_id)
    store.write(key, plan, "application/json")
    proof_uri = store.uri(layout.proof_key(summary.export_id))
    return Drill(found=True, export_id=summary.export_id, plan_uri=store.uri(key), proof_uri=proof_uri)


_REPAIR = "Start an export: it takes its place"


def judge(store: ObjectStore, layout: Layout, identifier: str) -> Proof:
    """Return the proof of an export that restores.

    Raises:
        ExportNotRestorableError: it does not; the message names what is wrong with it.
        NoProofError: nobody wrote a proof that can be read.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    proof = proof_of(store, layout, identifier)
    where = store.uri(layout.proof_key(identifier))
    if proof is None:
        raise NoProofError(f"The export {identifier} was tried, but there is no proof {where}. Start another drill.")
    if not proof.restorable:
        shown = "; ".join(one_line(problem, 500) for problem in proof.problems[:_SHOWN])
        more = f"; and {len(proof.problems) - _SHOWN} more" if len(proof.problems) > _SHOWN else ""
        raise ExportNotRestorableError(f"The export {identifier} is NOT restorable: {shown}{more}. Proof: {where}")
    return proof
