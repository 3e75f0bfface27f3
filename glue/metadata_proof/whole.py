"""A whole export into the scratch database: the restore that a proof tries."""

from collections.abc import Mapping

from metadata_restore.create import create
from metadata_restore.database import Address
from metadata_restore.fill import Watcher
from metadata_restore.objects import Objects
from metadata_restore.options import KEEP, Options
from metadata_restore.plan import RestorePlan

from metadata_proof.errors import ProofError
from metadata_proof.proof import Restore

AS_EXPORTED = Options(paused=False, unfinished=KEEP)


def restoring(watcher: Watcher, jobs: int = 2) -> Restore:
    """Return the restore of a whole export, in which every row stays as it was exported.

    Args:
        watcher: is told how far it has come.
        jobs: how many connections work at the same time.
    """

    def restore(address: Address, objects: Objects, plan: RestorePlan) -> Mapping[str, int]:
        return create(address, objects, plan, AS_EXPORTED, None, watcher, jobs).orphans

    return restore


def check_provable(plan: RestorePlan) -> None:
    """See that an empty database can be made from the export at all.

    Raises:
        ProofError: it carries no schema.
    """
    if plan.schema is None:
        raise ProofError(
            f"The export {plan.export_id} carries no schema (those from before 2026-12 do not), so no database can be "
            "made from it alone: nothing is proven. Prove a newer one."
        )
