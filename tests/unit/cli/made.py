"""An account with exports whose objects are real: gzip, CSV, checksums as S3 has them."""

import base64
import gzip
import hashlib
import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import Column, ExportedTable
from export_contracts.layout import Layout, export_id, report_key, table_key
from export_contracts.summary import Summary
from export_runtime.version import VERSION

from tests.documents import pointer, stored, summary, table

BUCKET = "prod-exports"
LAYOUT = Layout(BUCKET, "exports", "prod")
ARN = "arn:aws:states:eu-central-1:123456789012:execution:prod-metadata-export:run-1"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:prod-metadata-export"
HOSTILE = "x\x1b[31m\u202e\n'\"<b>"
TABLES: dict[str, list[list[str | None]]] = {
    "dag": [["dag_id", "note"], ["a", None], ["b", 'say "hi",\nthen\r\nleave\x0b\u2028']],
    "dag_run": [["id", "state"], *([str(number), "success"] for number in range(2000))],
    "slot_pool": [["id"]],
}


@cache
def _client() -> Any:
    return boto3.client("s3")


def csv_bytes(records: list[list[str | None]]) -> bytes:
    """Return records as PostgreSQL's COPY writes them: NULL is nothing, an empty text is quoted."""
    text = io.StringIO()
    for record in records:
        fields = ["" if value is None else '""' if value == "" else _quoted(value) for value in record]
        text.write(",".join(fields) + "\n")
    return text.getvalue().encode()


def _quoted(value: str) -> str:
    doubled = value.replace('"', '""')
    return f'"{doubled}"' if any(character in value for character in ',"\r\n') else value


def digest(data: bytes) -> str:
    """Return SHA-256 as S3 writes it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def composite(parts: list[bytes]) -> str:
    """Return the composite SHA-256 of a multipart upload."""
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return f"{digest(digests)}-{len(parts)}"


@dataclass(frozen=True)
class Made:
    """The account."""

    s3: Any

    @classmethod
    def create(cls) -> "Made":
        """Make the bucket."""
        s3 = _client()
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return cls(s3)

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        return {
            "Version": VERSION,
            "ExportBucketName": BUCKET,
            "ExportLocation": f"s3://{BUCKET}/{LAYOUT.root}/",
            "StateMachineArn": MACHINE,
            "SecretArn": "prod-metadata-export/database",
            "AlertTopicArn": "arn:aws:sns:eu-central-1:123456789012:alerts",
            "PublishAssetsFunctionName": "publish-assets",
            "MwaaExecutionPolicyArn": "arn:aws:iam::123456789012:policy/prod-policy",
        }

    def export(
        self,
        age: timedelta = timedelta(hours=3),
        tables: dict[str, list[list[str | None]]] | None = None,
        *,
        types: dict[str, list[str]] | None = None,
        report: str | None = "<html>report</html>",
        latest: bool = True,
        schema: bytes | None = None,
        **changes: Any,
    ) -> Summary:
        """Make an export of this age and return its summary (with changes)."""
        started = (datetime.now(UTC) - age).replace(microsecond=0)
        details = changes.pop("details", None) or {
            name: self._put_table(started, name, records, (types or {}).get(name))
            for name, records in (TABLES if tables is None else tables).items()
        }
        if schema is not None:
            key = LAYOUT.schema_key(started)
            self.put(key, schema)
            changes["schema"] = ExportedSchema(key, len(schema), len(schema), digest(schema), {}, ())
        summary = _summary(started, details, **changes)
        key = LAYOUT.summary_key(started)
        self.put(key, stored(summary))
        if report:
            self.put(report_key(key), report.encode())
        if latest and summary.complete:
            self.put(LAYOUT.latest_key, stored(pointer(key, summary.export_id)))
        return summary

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def all_keys(self, prefix: str) -> list[str]:
        """Return all keys below a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def body(self, key: str) -> bytes:
        """Return an object."""
        return bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def _put_table(
        self, started: datetime, name: str, records: list[list[str | None]], types: list[str] | None
    ) -> ExportedTable:
        # Two gzip members, in two parts: what a chunked multipart upload looks like.
        text = csv_bytes(records)
        parts = [gzip.compress(text[:20], mtime=0), gzip.compress(text[20:], mtime=0)]
        key = table_key(LAYOUT.day_prefix(started), export_id(started), name)
        self.put(key, b"".join(parts))
        return table(
            key=key,
            rows=len(records) - 1,
            csv_bytes=len(text),
            object_bytes=sum(map(len, parts)),
            checksum_sha256=composite(parts),
            part_sizes=tuple(len(part) for part in parts),
            columns=tuple(map(Column, map(str, records[0]), types or ["text"] * len(records[0]))),
        )


def _summary(started: datetime, details: dict[str, ExportedTable], **changes: Any) -> Summary:
    made = summary(
        export_id=export_id(started),
        export_timestamp=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        execution_arn=ARN,
        cutoff_date="2026-01-01T00:00:00Z",
        scope=None,  # as summaries were before they said it: their readers decide by selection and age
        duration_seconds=92.5,
        details=details,
    )
    return replace(made, **changes)
