"""Puts assets in place, and removes only what this very resource put there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from export_runtime.aws import aws_call, error_code

from publish_assets.assets import Asset
from publish_assets.errors import ForeignObjectError
from publish_assets.properties import Properties

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Object metadata: which stack wrote it, and which of its resources deletes it.
STACK_MARK = "published-by-stack"
RESOURCE_MARK = "published-by-resource"
_GONE = ("404", "NoSuchBucket", "NoSuchKey", "NotFound")


@dataclass(frozen=True)
class Owner:
    """The custom resource at work."""

    stack_id: str
    resource_id: str


class Publication:
    """Assets of one custom resource in S3."""

    def __init__(self, client: "S3Client", owner: Owner) -> None:
        """Use a client that was made with ``CLIENT_CONFIG``."""
        self._client = client
        self._owner = owner

    def put(self, asset: Asset) -> None:
        """Write an asset. The same content at its place is left to whoever put it there.

        Raises:
            ForeignObjectError: another object is there that this stack did not write.
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        marks = self._marks(asset.bucket, asset.key)
        if marks is not None and marks.get(STACK_MARK) != self._owner.stack_id:
            if self._content(asset) == asset.body:
                return
            raise ForeignObjectError(
                f"{asset.uri} exists, and this stack did not put it there. It was left alone: remove it, or deploy "
                "with an empty DagBucketName and copy the file yourself."
            )
        with aws_call(f"write {asset.uri}", _advice(asset.bucket)):
            self._client.put_object(
                Bucket=asset.bucket,
                Key=asset.key,
                Body=asset.body,
                ContentType=asset.content_type,
                Metadata={STACK_MARK: self._owner.stack_id, RESOURCE_MARK: self._owner.resource_id},
            )

    def remove(self, properties: Properties) -> list[str]:
        """Delete the objects that this resource wrote and nobody took over; a bucket that is gone is fine.

        Returns:
            Their addresses.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        places = []
        if properties.bucket:
            places += [(properties.bucket, key) for key in self._keys(properties.bucket, f"{properties.prefix}/")]
        if properties.dag_bucket:
            places.append((properties.dag_bucket, properties.dag_key))
        return [f"s3://{bucket}/{key}" for bucket, key in places if self._delete_ours(bucket, key)]

    def _delete_ours(self, bucket: str, key: str) -> bool:
        marks = self._marks(bucket, key) or {}
        if (marks.get(STACK_MARK), marks.get(RESOURCE_MARK)) != (self._owner.stack_id, self._owner.resource_id):
            return False
        with aws_call(f"delete s3://{bucket}/{key}", _advice(bucket)):
            self._client.delete_object(Bucket=bucket, Key=key)
        return True

    def _marks(self, bucket: str, key: str) -> dict[str, str] | None:
        with aws_call(f"look at s3://{bucket}/{key}", _advice(bucket)):
            try:
                return self._client.head_object(Bucket=bucket, Key=key)["Metadata"]
            except ClientError as error:
                if error_code(error) in _GONE:
                    return None
                raise

    def _content(self, asset: Asset) -> bytes:
        with aws_call(f"read {asset.uri}", _advice(asset.bucket)):
            return self._client.get_object(Bucket=asset.bucket, Key=asset.key)["Body"].read()

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        with aws_call(f"list s3://{bucket}/{prefix}", _advice(bucket)):
            try:
                for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                    yield from (found["Key"] for found in page.get("Contents", []))
            except ClientError as error:
                if error_code(error) not in _GONE:
                    raise


def _advice(bucket: str) -> str:
    return f"Check that the bucket {bucket} exists and that the function's role allows it."
