"""An export as a Glue job delivers it, for the tests of Aggregate Results."""

import base64
import hashlib
import json
from collections.abc import Iterable

from aggregate_results.event import Event, parse_event
from export_contracts.layout import table_key
from export_contracts.plan import Export, TableGroup
from export_runtime.store import ObjectStore

from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.plan_export.cases import draft

RUN_ID = "jr_" + "a1" * 32
CONNECTION = {"connection_name": "prod-metadata-export", "database_name": "AirflowMetadata", "airflow_version": "3.0.6"}
# Small: three groups with few tables, and the unknown ones.
_WANTED = ["dag", "variable", "dag_run", "xcom"]
EXPORT, _ALL = draft()
GROUPS = tuple(
    TableGroup(
        group.group,
        group.manifest_key,
        tuple(table for table in group.tables if table.table in _WANTED),
        group.catalogued_tables,
        group.exclude_tables,
    )
    for group in _ALL
    if group.group != "logs"
)
PART_MINIMUM = 5 * 1024 * 1024


def group_of(name: str) -> TableGroup:
    """Return a planned group."""
    return next(group for group in GROUPS if group.group == name)


def succeeded(groups: Iterable[TableGroup] = GROUPS) -> list[dict]:
    """Return the results of groups whose Glue runs succeeded."""
    return [{"group": group.group, "status": "SUCCEEDED", "job_run_id": RUN_ID} for group in groups]


def failed(name: str, cause: str = "ran out of memory", error: str = "States.TaskFailed") -> dict:
    """Return the result of a group whose Glue run failed."""
    return {"group": name, "status": "FAILED", "error": error, "cause": cause}


def raw_event(results: list[dict] | None = None, attempt: str = "first", export: Export = EXPORT) -> dict:
    """Return what the state machine passes."""
    event = {
        "attempt": attempt,
        "export": export.to_json(),
        "groups": [group.to_json() for group in GROUPS],
        "connection": CONNECTION,
        "results": succeeded() if results is None else results,
    }
    return json.loads(json.dumps(event))


def event(results: list[dict] | None = None, attempt: str = "first", export: Export = EXPORT) -> Event:
    """Return what the state machine passes, parsed."""
    return parse_event(raw_event(results, attempt, export))


def deliver(store: ObjectStore, planned: TableGroup, /, **changes: object) -> dict:
    """Write a group's objects and its manifest (with changes), as its Glue run does; return the manifest."""
    tables = {}
    if "tables" not in changes:
        tables = {table.table: put_table(store, table.table, table.window) for table in planned.tables}
    content = {**manifest(planned, tables), **changes}
    store.write(planned.manifest_key, json.dumps(content).encode(), "application/json")
    return content


def deliver_all(store: ObjectStore, without: str = "") -> None:
    """Write what all groups deliver, but for one."""
    for group in GROUPS:
        if group.group != without:
            deliver(store, group)


def put_table(store: ObjectStore, table: str, window: str = "full", body: bytes = b"gzip of a header\n") -> dict:
    """Write a table's object by a single put and return its entry in the manifest."""
    key = table_key(EXPORT.day_prefix, EXPORT.export_id, table)
    store.write(key, body, "application/gzip")
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return entry(key, len(body), checksum, [len(body)], window)


def entry(key: str, size: int, checksum: str, part_sizes: list[int], window: str = "full") -> dict:
    """Return an entry of a manifest."""
    return {
        "key": key,
        "rows": 3,
        "csv_bytes": 100,
        "object_bytes": size,
        "checksum_sha256": checksum,
        "part_sizes": part_sizes,
        "columns": [{"name": "id", "type": "integer"}],
        "window": window,
        "duration_seconds": 0.5,
    }


def manifest(group: TableGroup, tables: dict[str, dict]) -> dict:
    """Return a group's manifest."""
    return {
        "format_version": 2,
        "export_id": EXPORT.export_id,
        "group": group.group,
        "job_run_id": RUN_ID,
        "database": {"name": "AirflowMetadata", "server_version": "15.18", "alembic_heads": {"alembic_version": ["x"]}},
        "consistency": "snapshot",
        "snapshot": {"role": "imported", "claimed_by": RUN_ID, "reason": None},
        "cutoff": EXPORT.cutoff,
        "max_age_in_days": 30,
        "started_at": "2026-12-11T14:31:00Z",
        "finished_at": "2026-12-11T14:32:00Z",
        "duration_seconds": 60.0,
        "tables": tables,
        "failed_tables": {},
        "skipped_tables": {},
        "uncatalogued_tables": [],
        "orphans": {},
        "unread_evidence": [],
    }


def manifest_of_format_1(group: TableGroup, tables: dict[str, dict]) -> dict:
    """Return a group's manifest as a job wrote it before the version 2."""
    content = {**manifest(group, tables), "format_version": 1}
    del content["failed_tables"]
    return content


def put_in_parts(client, table: str, parts: list[bytes]) -> dict:
    """Write a table's object by multipart upload and return its entry in the manifest."""
    key = table_key(EXPORT.day_prefix, EXPORT.export_id, table)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    done = []
    for number, body in enumerate(parts, 1):
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        answer = client.upload_part(
            Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumSHA256=checksum
        )
        done.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum})
    client.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": done})
    digests = b"".join(hashlib.sha256(body).digest() for body in parts)
    composite = base64.b64encode(hashlib.sha256(digests).digest()).decode()
    sizes = [len(body) for body in parts]
    return entry(key, sum(sizes), f"{composite}-{len(parts)}", sizes)
