"""At most one export per environment: an S3 object, written conditionally, names the execution at work.

Nobody has to release it. It is stale once the execution that it names has ended, however it ended. It also says what
that export was asked for, in the summary's fields. A Glue run that takes the lock over after a redrive knows only its
own group and leaves these fields out, and so did older versions: what such an export brings is not known, and nobody
yields to it, because an export too many is cheap and one too few is not.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from export_contracts.coverage import Coverage
from export_contracts.layout import started_at
from export_contracts.plan import Export
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore, ObjectVersion, StoredObject

from plan_export.errors import LockContentionError

_ATTEMPTS = 5
# An execution takes ten hours at most (state_machine/export.asl.yaml).
# AWS documented: an execution can be redriven for 14 days.
# https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
_SURELY_ENDED = timedelta(days=15)


@dataclass(frozen=True)
class Holder:
    """The execution that holds the lock, and what its export brings; None: not known."""

    execution_arn: str
    coverage: Coverage | None


def take_lock(store: ObjectStore, key: str, export: Export, is_running: Callable[[str], bool]) -> Holder | None:
    """Make this execution the one that exports.

    Args:
        store: export bucket.
        key: of the lock.
        export: this execution's.
        is_running: whether the execution with an ARN has not ended.

    Returns:
        None when this execution has the lock (also when it had it before: a retry of this function), else the running
        execution that holds it.

    Raises:
        LockContentionError: others kept changing the lock.
        ArchivedObjectError: a lifecycle rule has archived the lock, and it may still be held.
    """
    identity = {"execution_arn": export.execution_arn, "export_id": export.export_id}
    body = json.dumps({**identity, **export.coverage.to_json()}).encode()
    for _ in range(_ATTEMPTS):
        seen = _look(store, key, export)
        holder = _holder(seen)
        if holder is not None and holder.execution_arn == export.execution_arn:
            return None
        if holder is not None and is_running(holder.execution_arn):
            return holder
        if store.write_if_unchanged(key, body, seen):
            return None
    raise LockContentionError(f"{store.uri(key)} was changed {_ATTEMPTS} times by others. It may pass: try again.")


def release_lock(store: ObjectStore, key: str, export: Export) -> None:
    """Let others export although this execution has not ended yet; does nothing when it has lost the lock."""
    seen = store.read(key)
    holder = _holder(seen)
    if holder is not None and holder.execution_arn == export.execution_arn:
        store.write_if_unchanged(key, json.dumps({"released_by": export.execution_arn}).encode(), seen)


def _look(store: ObjectStore, key: str, export: Export) -> StoredObject | ObjectVersion | None:
    """Read the lock. One that a lifecycle of somebody's own bucket archived is stale when it is old enough."""
    try:
        return store.read(key)
    except ArchivedObjectError:
        found = store.version(key)
        if found and found.written > started_at(export.export_id) - _SURELY_ENDED:
            raise
        return found


def _holder(seen: StoredObject | ObjectVersion | None) -> Holder | None:
    if isinstance(seen, ObjectVersion):
        return None
    # What is not the JSON that this module writes (somebody's hand, a foreign tool) holds nothing and is replaced.
    try:
        content: Any = json.loads(seen.body) if seen else None
    except ValueError:
        return None
    arn = content.get("execution_arn") if isinstance(content, dict) else None
    return Holder(arn, Coverage.of(content)) if isinstance(arn, str) else None
