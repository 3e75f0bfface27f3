"""What a restore consists of: the plan document, and where plan and report are."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from export_contracts.fields import DocumentError
from export_contracts.layout import Layout, export_id
from export_contracts.restore_plan import restore_plan
from export_contracts.summary import Summary
from export_runtime.errors import InvalidEventError
from export_runtime.store import ObjectStore
from export_runtime.text import shown

from plan_restore.errors import NoSuchExportError
from plan_restore.restore_input import RestoreInput

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FOREIGN = (
    "It is in another bucket than this stack's: its parameters RestoreExportArns and RestoreKeyArns must name it, and "
    "the policies of that bucket and its KMS key allow the roles in the output RestoreRoleArns (docs/restore.md)."
)
Stores = Callable[[str], ObjectStore]
"""gives the bucket of this name"""


@dataclass(frozen=True)
class Restore:
    """A restore that may begin; ``restore_id`` is when its execution started, as of an export."""

    restore_id: str
    environment: str
    export_id: str
    source: str
    summary_uri: str
    plan_uri: str
    report_uri: str
    tables: int
    rows: int
    options: dict[str, object]


def execution_start(event: dict[str, Any]) -> datetime:
    """Return when the execution started, in UTC and whole seconds.

    Raises:
        InvalidEventError: the execution is not described as the contract says.
    """
    try:
        return datetime.fromisoformat(event["execution"]["start_time"]).astimezone(UTC).replace(microsecond=0)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidEventError(f"Plan Restore needs execution.start_time, not {shown(event)}.") from error


def store_of(client: "S3Client", bucket: str, layout: Layout) -> ObjectStore:
    """Return a bucket, which says what to do where it is another one than the stack's and may not be read."""
    return ObjectStore(client, bucket) if bucket == layout.bucket else ObjectStore(client, bucket, _FOREIGN)


def plan(asked: RestoreInput, started: datetime, layout: Layout, stores: Stores) -> Restore:
    """Write the plan document, and return what the state machine needs of it. Nothing else is changed.

    Args:
        layout: of the environment that is overwritten.

    Raises:
        NoSuchExportError: there is no summary, or it cannot be read.
        NotRestorableError: the export lacks a table.
        ArchivedObjectError, AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    summary = _summary(stores(asked.bucket), asked)
    document = restore_plan(summary, asked.bucket, asked.tables)
    identifier = export_id(started)
    store = stores(layout.bucket)
    plan_key = layout.restore_key(identifier, "plan")
    store.write(plan_key, json.dumps(document).encode(), "application/json")
    return Restore(
        restore_id=identifier,
        environment=layout.environment,
        export_id=summary.export_id,
        source=summary.environment,
        summary_uri=asked.summary_uri,
        plan_uri=store.uri(plan_key),
        report_uri=store.uri(layout.restore_key(identifier, "report")),
        tables=len(document["tables"]),
        rows=sum(table["rows"] for table in document["tables"]),
        options=asked.options,
    )


def _summary(store: ObjectStore, asked: RestoreInput) -> Summary:
    found = store.read(asked.summary_key)
    if found is None:
        raise NoSuchExportError(f"There is no export summary {asked.summary_uri}. Nothing was started.")
    try:
        return Summary.from_bytes(found.body)
    except DocumentError as error:
        raise NoSuchExportError(
            f"{asked.summary_uri} is not an export summary: {error}. Nothing was started."
        ) from error
