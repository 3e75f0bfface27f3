"""Objects in S3. A body whose connection breaks goes on where it broke, with the very same object."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from metadata_restore.errors import DamagedObjectError, ObjectsUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 5  # without a byte in between: then it is no broken connection
_MISSING = ("404", "NoSuchKey", "NotFound")


class S3Objects:
    """The objects of one bucket; the client has the time-outs and retries of its owner."""

    def __init__(self, client: "S3Client", bucket: str, pause_seconds: float = 0.5) -> None:
        """Read from this bucket; after a broken connection wait so long, each time twice as long."""
        self._client, self._bucket, self._pause = client, bucket, pause_seconds

    def size(self, key: str) -> int | None:
        """Return how many bytes an object has; see ``Objects.size`` for errors."""
        with _naming(f"look at {self._uri(key)}"):
            try:
                return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    return None
                raise

    def open(self, key: str) -> "S3Body":
        """Return the bytes of an object; see ``Objects.open`` for errors."""
        return S3Body(self._client, self._bucket, key, self._pause)

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


class S3Body:
    """The bytes of one object."""

    def __init__(self, client: "S3Client", bucket: str, key: str, pause_seconds: float) -> None:
        """Ask for it."""
        self._client, self._bucket, self._key, self._pause = client, bucket, key, pause_seconds
        self._action = f"read s3://{bucket}/{key}"
        with _naming(self._action):
            answer = client.get_object(Bucket=bucket, Key=key)
        self._stream: Any = answer["Body"]
        self._etag, self._size, self._position = answer["ETag"], answer["ContentLength"], 0

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes."""
        for attempt in range(ATTEMPTS):
            try:
                data: bytes = self._stream.read(size)
            except (BotoCoreError, HTTPError, OSError) as error:
                if attempt == ATTEMPTS - 1:
                    raise ObjectsUnavailableError(f"Could not {self._action}: {error}. Try again.") from error
                time.sleep(self._pause * 2**attempt)
                self._resume()
                continue
            self._position += len(data)
            return data
        raise AssertionError

    def close(self) -> None:
        """Read no further."""
        self._stream.close()

    def _resume(self) -> None:
        self._stream.close()
        if self._position >= self._size:  # it broke at its very end
            self._stream = io.BytesIO()
            return
        with _naming(self._action):
            self._stream = self._client.get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={self._position}-", IfMatch=self._etag
            )["Body"]


@contextmanager
def _naming(action: str) -> Iterator[None]:
    """Say what was attempted, and what can be done."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise DamagedObjectError(f"Could not {action}: it does not exist. Choose another export.") from error
        if code == "InvalidObjectState":
            raise DamagedObjectError(f"Could not {action}: it is archived. Restore it from Glacier first.") from error
        if code in ("412", "PreconditionFailed"):
            raise DamagedObjectError(f"Could not {action}: it was replaced meanwhile. Start again.") from error
        advice = "Check that your credentials may read this bucket and decrypt with its KMS key."
        raise ObjectsUnavailableError(f"Could not {action}: {error}. {advice}") from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise ObjectsUnavailableError(f"Could not {action}: {error}. Try again.") from error
