"""What an execution that failed left in S3."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from export_contracts.coverage import Coverage, coverage_of
from export_contracts.fields import DocumentError
from export_contracts.layout import Layout
from export_contracts.past_exports import read_pointer, read_summary, readable_summary
from export_contracts.pointer import Pointer
from export_contracts.summary import Summary
from export_runtime.aws import aws_call, error_code
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectStore

from report_failure.event import FailedExecution

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ADVICE = "Check that the function's role allows it on this bucket."


@dataclass(frozen=True)
class Remains:
    """What is there. ``tables`` are objects without a verdict when there is no summary, or a damaged one.

    ``latest_coverage`` says what the export that latest.json names was asked for: an older version pointed it to any.
    """

    tables: int
    summary: Summary | None
    summary_uri: str
    latest_export_id: str | None
    latest_coverage: Coverage | None = None
    summary_problem: str | None = None
    """why a summary that is there cannot be read"""


class ExportObjects:
    """The objects of one environment's exports."""

    def __init__(self, client: "S3Client", layout: Layout) -> None:
        """Use a client that was made with ``CLIENT_CONFIG``."""
        self._client = client
        self._layout = layout
        self._store = ObjectStore(client, layout.bucket)

    def abort_uploads(self, execution: FailedExecution) -> int:
        """Abort every unfinished upload of this export's tables, and return how many there were.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        prefix, ending = self._place(execution)
        with aws_call(f"list the unfinished uploads below {self._store.uri(prefix)}", _ADVICE):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._layout.bucket, Prefix=prefix
            )
            uploads = [upload for page in pages for upload in page.get("Uploads", []) if upload["Key"].endswith(ending)]
        for upload in uploads:
            self._abort(upload["Key"], upload["UploadId"])
        return len(uploads)

    def remains(self, execution: FailedExecution) -> Remains:
        """Look at what there is of this export.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        prefix, ending = self._place(execution)
        with aws_call(f"list {self._store.uri(prefix)}", _ADVICE):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._layout.bucket, Prefix=prefix)
            tables = sum(item["Key"].endswith(ending) for page in pages for item in page.get("Contents", []))
        key = self._layout.summary_key(execution.started)
        summary, problem = self._summary(key)
        latest = self._pointer()
        return Remains(
            tables=tables,
            summary=summary,
            summary_uri=self._store.uri(key),
            latest_export_id=latest.export_id if latest else None,
            latest_coverage=self._coverage(latest.summary_key) if latest else None,
            summary_problem=problem,
        )

    def _summary(self, key: str) -> tuple[Summary | None, str | None]:
        try:
            return read_summary(self._store, key), None
        except DocumentError as error:
            return None, str(error)

    def _pointer(self) -> Pointer | None:
        try:
            return read_pointer(self._store, self._layout.latest_key)
        except DocumentError:
            return None

    def _coverage(self, summary_key: str) -> Coverage | None:
        try:
            summary = readable_summary(self._store, summary_key)
        except ArchivedObjectError:
            return None
        return coverage_of(summary) if summary else None

    def _place(self, execution: FailedExecution) -> tuple[str, str]:
        started = execution.started
        return self._layout.day_prefix(started), f"_{started:%H%M%S}.csv.gz"

    def _abort(self, key: str, upload_id: str) -> None:
        with aws_call(f"abort the unfinished upload of {self._store.uri(key)}", _ADVICE):
            try:
                self._client.abort_multipart_upload(Bucket=self._layout.bucket, Key=key, UploadId=upload_id)
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise
