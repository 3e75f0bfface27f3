"""At most one export per environment: an S3 object, written conditionally, names the execution at work.

Nobody has to release it. It is stale once the execution that it names has ended, however it ended. It also says what
that export was asked for; where it does not, nobody yields to it, because an export too many is cheap and one too few
is not.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from export_contracts.layout import started_at
from export_contracts.lock import ExportLock, released_lock
from export_contracts.plan import Export
from export_runtime.compare_and_set import Seen, compare_and_set
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore, StoredObject

# An execution takes ten hours at most (state_machine/export.asl.yaml).
# AWS documented: an execution can be redriven for 14 days.
# https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
_SURELY_ENDED = timedelta(days=15)


def take_lock(store: ObjectStore, key: str, export: Export, is_running: Callable[[str], bool]) -> ExportLock | None:
    """Make this execution the one that exports.

    Args:
        store: export bucket.
        key: of the lock.
        export: this execution's.
        is_running: whether the execution with an ARN has not ended.

    Returns:
        None when this execution has the lock (also when it had it before: a retry of this function), else the lock that
        a running execution holds.

    Raises:
        ContentionError: others kept changing the lock.
        ArchivedObjectError: a lifecycle rule has archived the lock, and it may still be held.
    """

    def valid(seen: Seen) -> ExportLock | None:
        lock = _held(seen)
        return lock if lock and (_is_of(lock, export) or is_running(lock.execution_arn)) else None

    ours = ExportLock(export.execution_arn, export.export_id, export.coverage)
    held = compare_and_set(store, key, ours.to_json(), partial(_look, store, key, export), valid)
    return held if held and not _is_of(held, export) else None


def release_lock(store: ObjectStore, key: str, export: Export) -> None:
    """Let others export although this execution has not ended yet; does nothing when it has lost the lock."""
    seen = store.read(key)
    lock = _held(seen)
    if lock and _is_of(lock, export):
        store.write_if_unchanged(key, released_lock(export.execution_arn), seen)


def _look(store: ObjectStore, key: str, export: Export) -> Seen:
    """Read the lock. One that a lifecycle of somebody's own bucket archived is stale when it is old enough."""
    try:
        return store.read(key)
    except ArchivedObjectError:
        found = store.version(key)
        if found and found.written > started_at(export.export_id) - _SURELY_ENDED:
            raise
        return found


def _held(seen: Seen) -> ExportLock | None:
    # What nobody holds (released, archived and old, edited by hand, written by a foreign tool) is replaced.
    return ExportLock.from_json(seen.body) if isinstance(seen, StoredObject) else None


def _is_of(lock: ExportLock, export: Export) -> bool:
    return lock.execution_arn == export.execution_arn
