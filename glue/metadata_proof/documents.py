"""The documents of a run in S3: the plan that it is given, and what it says of itself at its end."""

import json
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from metadata_restore.errors import PlanError
from metadata_restore.plan import RestorePlan
from metadata_restore.s3_objects import S3Objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READ = 1 << 20


def read_plan(s3: "S3Client", uri: str) -> RestorePlan:
    """Return the plan at an address.

    Raises:
        PlanError: it is no plan.
        DamagedObjectError, ObjectsUnavailableError: it cannot be read.
    """
    try:
        return RestorePlan.from_json(json.loads(read(s3, uri)))
    except ValueError as error:
        raise PlanError(f"{uri} is not JSON") from error


def read(s3: "S3Client", uri: str) -> bytes:
    """Return an object of a few megabytes.

    Raises:
        DamagedObjectError, ObjectsUnavailableError: it cannot be read.
    """
    bucket, key = _place(uri)
    with closing(S3Objects(s3, bucket).open(key)) as body:
        return b"".join(iter(lambda: body.read(_READ), b""))


def write(s3: "S3Client", uri: str, document: Mapping[str, Any]) -> None:
    """Write a document as JSON.

    Raises:
        ClientError, BotoCoreError: S3 refuses, or does not answer.
    """
    bucket, key = _place(uri)
    body = json.dumps(document, ensure_ascii=False).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def exists(s3: "S3Client", uri: str) -> bool:
    """Say whether there is an object.

    Raises:
        ObjectsUnavailableError: S3 refuses, or does not answer.
    """
    bucket, key = _place(uri)
    return S3Objects(s3, bucket).size(key) is not None


def remove(s3: "S3Client", uri: str) -> None:
    """Delete an object.

    Raises:
        ClientError, BotoCoreError: S3 refuses, or does not answer.
    """
    bucket, key = _place(uri)
    s3.delete_object(Bucket=bucket, Key=key)


def _place(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")
