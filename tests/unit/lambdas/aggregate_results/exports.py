"""An export as a Glue job delivers it, for the tests of Aggregate Results."""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from aggregate_results.event import Event, parse_event
from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import ExportedTable
from export_contracts.layout import schema_key, table_key
from export_contracts.manifest import Manifest
from export_contracts.plan import Export, TableGroup
from export_runtime.store import ObjectStore
from metadata_export.schema.entries import ROWS, Entry, file_text, packed

from tests import documents
from tests.contracts import violations
from tests.documents import RUN_ID
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.plan_export.cases import draft

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


def deliver(store: ObjectStore, planned: TableGroup, /, **changes: Any) -> Manifest:
    """Write a group's objects and its manifest (with changes), as its Glue run does; return the manifest."""
    tables = changes.pop("tables", None)
    if tables is None:
        tables = {table.table: put_table(store, table.table, table.window) for table in planned.tables}
    if planned == GROUPS[0]:
        changes = {"schema": put_schema(store)} | changes
    delivered = replace(manifest(planned, tables), **changes)
    rewrite(store, planned, delivered)
    return delivered


def rewrite(store: ObjectStore, group: TableGroup, delivered: Manifest) -> None:
    """Write a group's manifest, which its schema allows."""
    content = delivered.to_json()
    assert violations("group_manifest", content) == []
    store.write(group.manifest_key, json.dumps(content).encode(), "application/json")


def deliver_all(store: ObjectStore, without: str = "") -> None:
    """Write what all groups deliver, but for one."""
    for group in GROUPS:
        if group.group != without:
            deliver(store, group)


def put_table(
    store: ObjectStore, table: str, window: str = "full", body: bytes = b"gzip of a header\n"
) -> ExportedTable:
    """Write a table's object by a single put and return its entry in the manifest."""
    key = table_key(EXPORT.day_prefix, EXPORT.export_id, table)
    store.write(key, body, "application/gzip")
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return entry(key, len(body), checksum, (len(body),), window)


def put_schema(store: ObjectStore, without: str = "", body: bytes | None = None) -> ExportedSchema:
    """Write the object of the schema, which makes all planned tables but one; return what the first manifest says."""
    names = sorted({table.table for group in GROUPS for table in group.tables} - {without})
    # Its statements look like entries.
    entries = [Entry("pre-data", "table", "public", name, f"CREATE TABLE {name} ();\n-- {{", name) for name in names]
    text = file_text("The schema", [*entries, Entry("pre-data", "table", "celery", "celery_taskmeta", "", "t"), ROWS])
    key, body = schema_key(EXPORT.day_prefix, EXPORT.export_id), packed(text) if body is None else body
    store.write(key, body, "application/gzip")
    return ExportedSchema(key, len(text), len(body), base64.b64encode(hashlib.sha256(body).digest()).decode(), {}, ())


def entry(key: str, size: int, checksum: str, part_sizes: tuple[int, ...], window: str = "full") -> ExportedTable:
    """Return an entry of a manifest."""
    return documents.table(key=key, object_bytes=size, checksum_sha256=checksum, part_sizes=part_sizes, window=window)


def manifest(group: TableGroup, tables: dict[str, ExportedTable]) -> Manifest:
    """Return a group's manifest."""
    of_group = {name: replace(table, group=group.group) for name, table in tables.items()}
    return documents.manifest(
        export_id=EXPORT.export_id, group=group.group, job_run_id=RUN_ID, cutoff=EXPORT.cutoff, tables=of_group
    )


def put_in_parts(client, table: str, parts: list[bytes]) -> ExportedTable:
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
    sizes = tuple(len(body) for body in parts)
    return entry(key, sum(sizes), f"{composite}-{len(parts)}", sizes)
