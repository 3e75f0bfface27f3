from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber
from metadata_export.aws import s3_client
from metadata_export.errors import StorageError, TransientStorageError
from metadata_export.parts import Part, composite_checksum
from metadata_export.storage import Store


def test_given_a_free_key_then_the_first_writer_wins_and_the_second_is_told(store: Store) -> None:
    assert store.put_json_if_absent("claim", {"by": "first"})
    assert not store.put_json_if_absent("claim", {"by": "second"})
    assert store.get_json("claim") == {"by": "first"}


def test_given_a_conditional_put_then_later_puts_are_unconditional_again(store: Store) -> None:
    store.put_json_if_absent("claim", 1)
    store.put_json("claim", 2)
    assert store.get_json("claim") == 2


def test_given_a_part_then_its_bytes_are_hashed_once_and_the_hash_is_signed(store: Store) -> None:
    sent: list[AWSPreparedRequest] = []
    upload_id = store.create_upload("day/a")
    store.s3.meta.events.register("before-send.s3.UploadPart", lambda request, **_: sent.append(request))
    store.upload_part("day/a", upload_id, 1, b"first", 5, PARTS[0].sha256)
    headers = {name.lower(): as_text(value) for name, value in sent[0].headers.items()}
    assert headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert headers["x-amz-checksum-sha256"] == PARTS[0].sha256
    assert "x-amz-checksum-sha256" in headers["authorization"]


def as_text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_given_no_object_then_there_is_no_document(store: Store) -> None:
    assert store.get_json("nothing") is None


def test_given_unfinished_uploads_then_only_those_of_the_run_s_keys_are_aborted(store: Store) -> None:
    for key in ("day/a", "day/a", "day/b"):
        store.create_upload(key)
    assert store.abort_uploads("day/", {"day/a"}) == 2
    left = store.s3.list_multipart_uploads(Bucket=store.bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["day/b"]


# SHA-256 of b"first" and of b"last" in base64, and what S3 makes of the two
PARTS = [
    Part(1, 5, '"1"', "p5N7ZLjKpY8Dchu2us9ceMsjX+vg5wsbhM2ZVBRhoI4="),
    Part(2, 4, '"2"', "NUfLESrESJryMQwGJs26bzCXoq1aO0Ld07WcdsegeaM="),
]
COMPOSITE = composite_checksum(PARTS)


def complete(head: dict[str, Any] | str) -> None:
    """Complete an upload that S3 says it does not know; what it says of the object is `head`, or an error."""
    store = Store(s3_client("eu-central-1"), "bucket")
    with Stubber(store.s3) as s3:
        s3.add_client_error("complete_multipart_upload", "NoSuchUpload", "aborted or completed", 404)
        if isinstance(head, str):
            s3.add_client_error("head_object", head, http_status_code=int(head))
        else:
            s3.add_response("head_object", head, {"Bucket": "bucket", "Key": "key", "ChecksumMode": "ENABLED"})
        store.complete_upload("key", "an upload", PARTS)


def test_given_a_completion_whose_answer_was_lost_then_the_object_itself_is_believed() -> None:
    complete({"ContentLength": 9, "ChecksumSHA256": COMPOSITE})


@pytest.mark.parametrize(
    "head",
    [
        "404",
        {"ContentLength": 8, "ChecksumSHA256": COMPOSITE},
        {"ContentLength": 9, "ChecksumSHA256": COMPOSITE.replace("-2", "-1")},
        {"ContentLength": 9},
    ],
    ids=["no object", "another size", "another checksum", "no checksum"],
)
def test_given_an_upload_that_was_aborted_then_its_completion_fails_whatever_is_there(
    head: dict[str, Any] | str,
) -> None:
    with pytest.raises(StorageError, match=r"cannot complete the upload of s3://bucket/key: .*NoSuchUpload"):
        complete(head)


def test_given_an_object_that_may_not_be_looked_at_then_that_is_the_error() -> None:
    with pytest.raises(StorageError, match="cannot look at s3://bucket/key"):
        complete("403")


def client_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("AccessDenied", 403), StorageError),
        (client_error("SlowDown", 503), TransientStorageError),
        (client_error("KMS.ThrottlingException", 400), TransientStorageError),
        (client_error("InternalError", 500), TransientStorageError),
        (client_error("BadDigest", 400), TransientStorageError),
        (ConnectTimeoutError(endpoint_url="http://s3"), TransientStorageError),
    ],
    ids=["denied", "busy", "key busy", "internal", "damaged", "unreachable"],
)
def test_given_an_error_of_s3_then_it_names_the_object_and_says_whether_to_try_again(
    error: Exception, kind: type[StorageError]
) -> None:
    s3 = MagicMock()
    s3.put_object.side_effect = error
    with pytest.raises(StorageError, match="cannot write s3://bucket/some/key") as caught:
        Store(s3, "bucket").put("some/key", b"body")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("code", "said"), [("NoSuchBucket", "The bucket is gone: .*doctor"), ("InvalidObjectState", "restore it first")]
)
def test_given_an_object_or_bucket_that_is_not_there_any_more_then_the_error_says_what_to_do(
    code: str, said: str
) -> None:
    s3 = MagicMock()
    s3.get_object.side_effect = client_error(code, 403)
    with pytest.raises(StorageError, match=f"cannot read s3://bucket/some/key.*{said}"):
        Store(s3, "bucket").read("some/key")


@pytest.mark.parametrize(
    "action", [lambda store: store.keys("p/"), lambda store: store.get_json("k")], ids=["list", "get"]
)
def test_given_a_forbidden_bucket_then_missing_is_not_assumed(action: Callable[[Store], object]) -> None:
    s3 = MagicMock()
    s3.get_object.side_effect = s3.get_paginator.return_value.paginate.side_effect = client_error("AccessDenied", 403)
    with pytest.raises(StorageError, match="AccessDenied"):
        action(Store(s3, "bucket"))
