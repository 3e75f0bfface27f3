"""Objects of the export bucket, with the conditional writes that S3 offers."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from export_runtime.aws import aws_call, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_MISSING = ("404", "NoSuchKey", "NotFound")
# AWS documented: S3 answers 409 when another conditional write to the key is under way.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_LOST = ("409", "412", "ConditionalRequestConflict", "PreconditionFailed", *_MISSING)
_ADVICE = "Check that the function's role allows it on this bucket and its KMS key."


@dataclass(frozen=True)
class StoredObject:
    """Content of an object and the tag of that very content."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class ObjectVersion:
    """Which content of an object is there, though it cannot be read, and since when (UTC)."""

    etag: str
    written: datetime


@dataclass(frozen=True)
class ObjectFacts:
    """What S3 says of an object without sending it."""

    size: int
    checksum_sha256: str | None


class ObjectStore:
    """One bucket. A missing object is an answer (None), a refused call is an error.

    The role needs s3:ListBucket: without it S3 answers 403 for a missing key.
    """

    def __init__(self, client: "S3Client", bucket: str, advice: str = _ADVICE) -> None:
        """Use a client that was made with ``CLIENT_CONFIG``; ``advice`` ends the message when S3 refuses."""
        self._client = client
        self._bucket = bucket
        self._advice = advice

    def uri(self, key: str) -> str:
        """Return the address of a key for people."""
        return f"s3://{self._bucket}/{key}"

    def read(self, key: str) -> StoredObject | None:
        """Return an object, or None when there is none.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"read {self.uri(key)}", self._advice):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            return StoredObject(answer["Body"].read(), answer["ETag"])

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Return the first 1,000 keys that begin with a prefix, in S3's order.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"list {self.uri(prefix)}*", self._advice):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return tuple(found["Key"] for found in answer.get("Contents", ()))

    def all_keys(self, prefix: str) -> tuple[str, ...]:
        """Return all keys that begin with a prefix, in S3's order.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"list {self.uri(prefix)}*", self._advice):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return tuple(found["Key"] for page in pages for found in page.get("Contents", ()))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """Return the first 1,000 prefixes up to the next slash, in S3's order.

        Args:
            prefix: what they are below, with a slash at its end.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"list {self.uri(prefix)}", self._advice):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        return tuple(found["Prefix"] for found in answer.get("CommonPrefixes", ()))

    def facts(self, key: str) -> ObjectFacts | None:
        """Return size in bytes and SHA-256 checksum as S3 computed it, or None when there is no such object.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"look at {self.uri(key)}", self._advice):
            try:
                head: HeadObjectOutputTypeDef = self._client.head_object(
                    Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
        return ObjectFacts(head["ContentLength"], head.get("ChecksumSHA256"))

    def version(self, key: str) -> ObjectVersion | None:
        """Return which content is there, also of an archived object; None when there is no such object.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"look at {self.uri(key)}", self._advice):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
        return ObjectVersion(head["ETag"], head["LastModified"])

    def write(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object, whatever is there.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"write {self.uri(key)}", self._advice):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, ChecksumAlgorithm="SHA256"
            )

    def write_if_unchanged(self, key: str, body: bytes, seen: StoredObject | ObjectVersion | None) -> bool:
        """Write a JSON object unless somebody else wrote it since it was seen.

        Args:
            key: what to write.
            body: JSON.
            seen: what ``read`` or ``version`` returned; None: there was nothing.

        Returns:
            False when somebody else was faster: read again.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"write {self.uri(key)}", self._advice):
            try:
                self._put_json(key, body, seen)
            except ClientError as error:
                if error_code(error) in _LOST:
                    return False
                raise
        return True

    def _put_json(self, key: str, body: bytes, seen: StoredObject | ObjectVersion | None) -> None:
        content_type = "application/json"
        if seen is None:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")
        else:
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, IfMatch=seen.etag
            )
