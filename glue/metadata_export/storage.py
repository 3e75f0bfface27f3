"""The S3 boundary: every call this package makes, with errors that name the object."""

import json
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from metadata_export.errors import StorageError, TransientStorageError
from metadata_export.parts import Part, composite_checksum, sha256_base64

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

CONTENT_TYPE = "application/gzip"
# AWS seen: a key that KMS throttles is KMS.ThrottlingException, with status 400, in the service that uses it.
# https://github.com/aws/aws-sdk-js-v3/tree/main/clients/client-sqs
THROTTLED_KEY = "KMS.ThrottlingException"
BUSY = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeTooSkewed", "OperationAborted",
        THROTTLED_KEY}  # fmt: skip
DAMAGED_ON_THE_WAY = {"BadDigest", "IncompleteBody"}  # what arrived is not what was sent; nothing was stored
MISSING = {"NoSuchKey", "404"}
ADVICE = {
    "InvalidObjectState": ". It is archived: restore it first (aws s3api restore-object), and let no lifecycle rule "
    "archive it so early (docs/configure.md)",
    "NoSuchBucket": ". The bucket is gone: `mwaa-metadata-export doctor` says how to get another one",
}
NOT_WRITTEN = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}


@dataclass(frozen=True)
class Store:
    """One bucket. Raises StorageError, or TransientStorageError where another attempt may succeed."""

    s3: "S3Client"
    bucket: str

    def put(self, key: str, body: bytes, content_type: str = CONTENT_TYPE) -> Part:
        """Write an object in one piece and return it as its only part."""
        return self.put_file(key, body, len(body), sha256_base64(body), content_type)

    def put_file(self, key: str, body: "bytes | IO[bytes]", size: int, checksum: str, content_type: str) -> Part:
        """Write an object of `size` bytes, whose SHA-256 S3 verifies, in one piece; return it as its only part."""
        with _naming("write", self.bucket, key):
            answer = self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
            )
        return Part(number=1, size=size, etag=answer["ETag"], sha256=checksum)

    def put_json(self, key: str, document: object) -> None:
        """Write a JSON document."""
        self.put(key, json.dumps(document, indent=2).encode(), "application/json")

    def put_json_if_absent(self, key: str, document: object) -> bool:
        """Write a JSON document unless the key is taken; return whether it was written.

        AWS documented: of several conditional writes to a key at the same time one succeeds.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        return self._put_json_if(key, document, "If-None-Match", "*")

    def put_json_if_same(self, key: str, document: object, etag: str) -> bool:
        """Write a JSON document if the key still holds what was read with this ETag; return whether it was written."""
        return self._put_json_if(key, document, "If-Match", etag)

    def _put_json_if(self, key: str, document: object, header: str, value: str) -> bool:
        events, thread = self.s3.meta.events, threading.get_ident()

        def add_header(params: dict[str, Any], **_: object) -> None:
            if threading.get_ident() == thread:  # the client may be writing something else from another thread
                params["headers"][header] = value

        # The botocore of older Glue versions has no parameter for it; the header works with all of them.
        events.register("before-call.s3.PutObject", add_header, unique_id=f"condition-{thread}")
        try:
            self.put_json(key, document)
        except StorageError as error:
            if _code(error.__cause__) in NOT_WRITTEN:
                return False
            raise
        finally:
            events.unregister("before-call.s3.PutObject", unique_id=f"condition-{thread}")
        return True

    def get_json(self, key: str) -> Any | None:
        """Return a JSON document, None when there is none."""
        found = self.read(key)
        return json.loads(found[0]) if found else None

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's content and ETag, None when there is none."""
        try:
            with _naming("read", self.bucket, key):
                answer = self.s3.get_object(Bucket=self.bucket, Key=key)
                return answer["Body"].read(), answer["ETag"]
        except StorageError as error:
            if _code(error.__cause__) in MISSING:
                return None
            raise

    def facts(self, key: str) -> tuple[int, str | None] | None:
        """Return an object's size and SHA-256 checksum as S3 has computed it, None when there is no object."""
        try:
            with _naming("look at", self.bucket, key):
                answer = self.s3.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except StorageError as error:
            if isinstance(error.__cause__, ClientError) and _code(error.__cause__) in {"NoSuchKey", "404"}:
                return None
            raise
        return answer["ContentLength"], answer.get("ChecksumSHA256")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        with _naming("list", self.bucket, prefix):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def delete(self, key: str) -> None:
        """Delete an object; harmless when there is none."""
        with _naming("delete", self.bucket, key):
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def create_upload(self, key: str) -> str:
        """Begin a multipart upload whose parts carry SHA-256 checksums; return its id."""
        with _naming("begin the upload of", self.bucket, key):
            answer = self.s3.create_multipart_upload(
                Bucket=self.bucket, Key=key, ContentType=CONTENT_TYPE, ChecksumAlgorithm="SHA256"
            )
        return answer["UploadId"]

    def upload_part(
        self, key: str, upload_id: str, number: int, body: "bytes | IO[bytes]", size: int, checksum: str
    ) -> Part:
        """Upload one part of `size` bytes, whose SHA-256 S3 verifies; an earlier one of the same number is replaced."""
        with _naming(f"upload part {number} of", self.bucket, key):
            answer = self.s3.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body, ChecksumSHA256=checksum
            )
        return Part(number=number, size=size, etag=answer["ETag"], sha256=checksum)

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the object from its parts, which are in the order of their numbers.

        A request whose answer was lost is repeated. Whether it has been carried out, the object tells.

        AWS documented: S3 no longer knows an upload that "might have been aborted or completed".
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        """
        listed: list[CompletedPartTypeDef] = [
            {"PartNumber": part.number, "ETag": part.etag, "ChecksumSHA256": part.sha256} for part in parts
        ]
        try:
            with _naming("complete the upload of", self.bucket, key):
                self.s3.complete_multipart_upload(
                    Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
                )
        except StorageError as error:
            if _code(error.__cause__) != "NoSuchUpload" or not self._consists_of(key, parts):
                raise

    def _consists_of(self, key: str, parts: Sequence[Part]) -> bool:
        """Say whether the object is made of these parts, by its size and its checksum."""
        try:
            with _naming("look at", self.bucket, key):
                head = self.s3.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except StorageError as error:
            if _code(error.__cause__) in MISSING:
                return False
            raise
        sent = (sum(part.size for part in parts), composite_checksum(parts))
        return (head["ContentLength"], head.get("ChecksumSHA256")) == sent

    def abort_uploads(self, prefix: str, keys: Collection[str]) -> int:
        """Abort every unfinished upload of these keys, whoever began it; return how many there were."""
        with _naming("list the uploads below", self.bucket, prefix):
            pages = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            found = [item for page in pages for item in page.get("Uploads", []) if item["Key"] in keys]
        for item in found:
            self.abort_upload(item["Key"], item["UploadId"])
        return len(found)

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload; harmless when it no longer exists."""
        with _naming("abort the upload of", self.bucket, key, ignore={"NoSuchUpload"}):
            self.s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)


@contextmanager
def _naming(action: str, bucket: str, key: str, ignore: Collection[str] = ()) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in ignore:
            return
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        kind = TransientStorageError if status >= 500 or _code(error) in BUSY | DAMAGED_ON_THE_WAY else StorageError
        advice = ADVICE.get(_code(error), "")
        raise kind(f"cannot {action} s3://{bucket}/{key}: {error}{advice}") from error
    except BotoCoreError as error:
        raise TransientStorageError(f"cannot {action} s3://{bucket}/{key}: {error}") from error


def _code(error: BaseException | None) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
