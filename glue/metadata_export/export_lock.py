"""At most one export per environment, also when an old execution is redriven: it never passes Plan Export again.

The lock is docs/contracts/export_lock.schema.json.

Plan Export takes the lock `_runs/_current.json` for an execution; it is stale once that execution has ended. This run,
in a private network, cannot ask Step Functions, but Glue tells whether another export's runs are active.

Plan Export also writes into the lock what its export was asked for. This run knows only its own group, so a lock that
it takes over does not say it, and a new execution waits for this one's end rather than count on it.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from metadata_export.arguments import Arguments
from metadata_export.errors import ExportError, OtherExportError
from metadata_export.log import info
from metadata_export.siblings import ACTIVE, LATEST_RUNS
from metadata_export.storage import Store

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

ATTEMPTS = 5


@dataclass(frozen=True)
class Owner:
    """An export, as the lock or the arguments of a run name it."""

    export_id: str
    execution_arn: str

    def __str__(self) -> str:
        return f"{self.export_id or 'unknown'}, {self.execution_arn or 'unknown execution'}"


def hold_lock(arguments: Arguments, store: Store, client: "GlueClient") -> None:
    """See that this execution holds the lock; take it over from one whose Glue runs have all ended.

    A new execution then waits for this one. Outside the state machine (no execution ARN) there is no lock.

    Raises:
        OtherExportError: another export's runs are active, or Glue does not say whether they are.
        StorageError: S3 refuses, or others kept changing the lock.
    """
    if not arguments.execution_arn:
        return
    ours = Owner(arguments.export_id, arguments.execution_arn)
    for _ in range(ATTEMPTS):
        seen = store.read(arguments.lock_key)
        holder = _holder(seen[0]) if seen else None
        if holder and holder.execution_arn == ours.execution_arn:
            return
        _refuse_beside_another(arguments.job_name, ours, holder, client)
        if _write(store, arguments.lock_key, ours, seen[1] if seen else None):
            info(f"took the lock over from the export {holder}, which does not run", lock=arguments.lock_key)
            return
    raise ExportError(f"s3://{arguments.bucket}/{arguments.lock_key} was changed {ATTEMPTS} times by others: redrive")


def _refuse_beside_another(job_name: str, ours: Owner, holder: Owner | None, client: "GlueClient") -> None:
    try:
        runs = client.get_job_runs(JobName=job_name, MaxResults=LATEST_RUNS)["JobRuns"] if job_name else []
    except (ClientError, BotoCoreError) as error:
        raise OtherExportError(
            f"another export ({holder}) holds the lock, and Glue does not say whether it is running ({error}): "
            "redrive this one when it has ended"
        ) from error
    for run in runs:
        arguments = run.get("Arguments", {})
        export_id = arguments.get("--EXPORT_ID", ours.export_id)
        if run["JobRunState"] in ACTIVE and export_id != ours.export_id:
            other = Owner(export_id, arguments.get("--EXECUTION_ARN", ""))
            raise OtherExportError(f"another export ({other}) is running: redrive this one when it has ended")


def _write(store: Store, key: str, ours: Owner, etag: str | None) -> bool:
    document = {"execution_arn": ours.execution_arn, "export_id": ours.export_id}
    return store.put_json_if_absent(key, document) if etag is None else store.put_json_if_same(key, document, etag)


def _holder(body: bytes) -> Owner | None:
    # Anything but the JSON that Plan Export or this module writes is no lock: it is replaced, as by Plan Export.
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    arn = content.get("execution_arn") if isinstance(content, dict) else None
    if not (isinstance(arn, str) and arn):
        return None
    export_id = content.get("export_id")
    return Owner(export_id if isinstance(export_id, str) else "", arn)
