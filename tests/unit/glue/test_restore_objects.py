"""Objects in S3 whose connection breaks on the way, or that cannot be read."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from metadata_restore.errors import DamagedObjectError, ObjectsUnavailableError, RestoreError
from metadata_restore.s3_objects import ATTEMPTS, S3Objects

CONTENT = bytes(range(256)) * 40


class Breaking(io.BytesIO):
    """Bytes that end in an error after so many of them."""

    def __init__(self, content: bytes, after: int) -> None:
        super().__init__(content)
        self._after = after

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._after:
            raise IncompleteReadError(actual_bytes=self.tell(), expected_bytes=len(self.getvalue()))
        return super().read(min(size or 0, self._after - self.tell()))


class S3:
    """One object, whose connections break after so many bytes."""

    def __init__(self, after: int, etag: Callable[[int], str] = lambda asked: "1", code: str = "") -> None:
        self.asked: list[str | None] = []
        self._after, self._etag, self._code = after, etag, code

    def get_object(self, Range: str = "", IfMatch: str | None = None, **_: str) -> dict[str, Any]:  # noqa: N803 - AWS' names
        self.asked.append(Range)
        etag = self._etag(len(self.asked))
        if self._code or IfMatch not in (None, etag):
            raise ClientError({"Error": {"Code": self._code or "PreconditionFailed", "Message": "no"}}, "GetObject")
        rest = CONTENT[int(Range.removeprefix("bytes=").removesuffix("-") or 0) :]
        return {"Body": Breaking(rest, self._after), "ETag": etag, "ContentLength": len(rest)}

    def head_object(self, **_: str) -> dict[str, Any]:
        if self._code:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "HeadObject")
        return {"ContentLength": len(CONTENT)}


def read_all(s3: Any) -> bytes:
    body = S3Objects(s3, "bucket", pause_seconds=0).open("key")
    found = b"".join(iter(lambda: body.read(100), b""))
    body.close()
    return found


@pytest.mark.parametrize("after", [1000, 4096, len(CONTENT), len(CONTENT) + 1])
def test_given_connections_that_break_when_read_then_every_byte_comes_once(after: int) -> None:
    s3 = S3(after)
    assert read_all(s3) == CONTENT
    assert s3.asked == ["", *(f"bytes={place}-" for place in range(after, len(CONTENT), after))]


def test_given_connections_that_bring_nothing_when_read_then_it_gives_up() -> None:
    s3 = S3(0)
    with pytest.raises(ObjectsUnavailableError, match=r"Could not read s3://bucket/key: .* Try again\."):
        read_all(s3)
    assert len(s3.asked) == ATTEMPTS


@pytest.mark.parametrize(
    ("s3", "error", "said"),
    [
        (S3(1000, etag=str), DamagedObjectError, "was replaced meanwhile"),
        (S3(1, code="NoSuchKey"), DamagedObjectError, "does not exist"),
        (S3(1, code="InvalidObjectState"), DamagedObjectError, "is archived. Restore it from Glacier first"),
        (S3(1, code="AccessDenied"), ObjectsUnavailableError, "decrypt with its KMS key"),
    ],
    ids=["replaced", "missing", "archived", "denied"],
)
def test_given_an_object_that_cannot_be_read_when_read_then_the_error_says_what_to_do(
    s3: S3, error: type[RestoreError], said: str
) -> None:
    with pytest.raises(error) as caught:
        read_all(s3)
    assert said in str(caught.value)


def test_given_objects_when_their_size_is_asked_then_a_missing_one_is_an_answer_and_a_refusal_an_error() -> None:
    assert S3Objects(S3(1), "bucket").size("key") == len(CONTENT)  # type: ignore[arg-type]
    assert S3Objects(S3(1, code="404"), "bucket").size("key") is None  # type: ignore[arg-type]
    with pytest.raises(ObjectsUnavailableError):
        S3Objects(S3(1, code="403"), "bucket").size("key")  # type: ignore[arg-type]
