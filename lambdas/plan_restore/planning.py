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
from export_runtime.errors import ContentionError, InvalidEventError
from export_runtime.store import ObjectStore
from export_runtime.text import shown

from plan_restore.errors import NoSuchExportError, SameSecondError
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
class Execution:
    """Who restores; ``started`` is in UTC and whole seconds."""

    arn: str
    started: datetime

    @property
    def restore_id(self) -> str:
        """What the restore is named by, as an export is."""
        return export_id(self.started)


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


def execution_of(event: dict[str, Any]) -> Execution:
    """Return the execution that calls.

    Raises:
        InvalidEventError: it is not described as the contract says.
    """
    try:
        told = event["execution"]
        started = datetime.fromisoformat(told["start_time"]).astimezone(UTC).replace(microsecond=0)
        return Execution(told["id"], started)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidEventError(f"Plan Restore needs execution.id and .start_time, not {shown(event)}.") from error


def store_of(client: "S3Client", bucket: str, layout: Layout) -> ObjectStore:
    """Return a bucket, which says what to do where it is another one than the stack's and may not be read."""
    return ObjectStore(client, bucket) if bucket == layout.bucket else ObjectStore(client, bucket, _FOREIGN)


def plan(asked: RestoreInput, execution: Execution, layout: Layout, stores: Stores) -> Restore:
    """Write the plan document, and return what the state machine needs of it. Nothing else is changed.

    Args:
        layout: of the environment that is overwritten.

    Raises:
        NoSuchExportError: there is no summary, or it cannot be read.
        NotRestorableError: the export lacks a table.
        SameSecondError: another restore has this one's name.
        ContentionError: somebody else wrote the plan just now.
        ArchivedObjectError, AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    summary = _summary(stores(asked.bucket), asked)
    document = {**restore_plan(summary, asked.bucket, asked.tables), "execution_arn": execution.arn}
    identifier = execution.restore_id
    store = stores(layout.bucket)
    plan_key = layout.restore_key(identifier, "plan")
    _write(store, plan_key, document)
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


def _write(store: ObjectStore, key: str, document: dict[str, Any]) -> None:
    """Write the plan, unless it is another execution's, which would then restore what this one was asked for."""
    seen, own = store.read(key), document["execution_arn"]
    other = json.loads(seen.body).get("execution_arn", own) if seen else own
    if other != own:
        raise SameSecondError(
            f"Another restore into this environment began in the same second ({other}). A restore is named by that "
            "second, so this one has changed nothing: start a new one when that has ended. A redrive would have the "
            "same name."
        )
    if not store.write_if_unchanged(key, json.dumps(document).encode(), seen):
        raise ContentionError(f"Another execution wrote {store.uri(key)} just now.")


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
