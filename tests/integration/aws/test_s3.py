"""S3 refuses what S3 refuses, and its checksums are those of S3."""

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulated_account import Account

MIB = 1024 * 1024
PART, LAST = bytes(5 * MIB), b"the last part may be small"


@pytest.mark.on_aws
def test_given_parts_of_five_mebibytes_when_completed_then_the_checksum_is_composite(account: Account) -> None:
    bucket = account.bucket()

    _upload(account, bucket, [PART, PART, LAST])

    head = account.client("s3").head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    digests = b"".join(hashlib.sha256(part).digest() for part in (PART, PART, LAST))
    assert head["ChecksumSHA256"] == f"{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-3"
    assert (head["ChecksumType"], head["ContentLength"]) == ("COMPOSITE", 10 * MIB + len(LAST))


@pytest.mark.on_aws
@pytest.mark.parametrize(
    ("parts", "order", "code"),
    [
        ([PART[:-1], LAST], [1, 2], "EntityTooSmall"),
        ([PART, LAST], [2, 1], "InvalidPartOrder"),
        ([PART, LAST], [1, 1], "InvalidPartOrder"),
        ([PART, LAST], [], "MalformedXML"),
        ([PART], [1, 2], "InvalidPart"),
    ],
    ids=["small", "order", "twice", "none", "missing"],
)
def test_given_wrong_parts_when_completed_then_refused(
    account: Account, parts: list[bytes], order: list[int], code: str
) -> None:
    bucket = account.bucket()

    with pytest.raises(ClientError, match=code):
        _upload(account, bucket, parts, order)

    assert "Contents" not in account.client("s3").list_objects_v2(Bucket=bucket)


@pytest.mark.on_aws
def test_given_checksums_on_parts_when_completed_with_a_gap_then_refused(account: Account) -> None:
    bucket, s3 = account.bucket(), account.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")["UploadId"]
    target = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    parts = []
    for number, body in {1: PART, 3: LAST}.items():
        answer = s3.upload_part(**target, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]})

    with pytest.raises(ClientError, match="InvalidPartOrder"):
        s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})


@pytest.mark.on_aws
def test_given_checksums_on_parts_when_completed_without_them_then_refused(account: Account) -> None:
    bucket, s3 = account.bucket(), account.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")["UploadId"]
    target = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    answer = s3.upload_part(**target, PartNumber=1, Body=LAST, ChecksumAlgorithm="SHA256")
    part = {"PartNumber": 1, "ETag": answer["ETag"]}

    with pytest.raises(ClientError, match="It was missing for part 1 in the request"):
        s3.complete_multipart_upload(**target, MultipartUpload={"Parts": [part]})


@pytest.mark.on_aws
def test_given_completed_upload_when_completed_again_then_there_is_no_such_upload(account: Account) -> None:
    bucket, s3 = account.bucket(), account.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    target = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    etag = s3.upload_part(**target, PartNumber=1, Body=LAST)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(**target, MultipartUpload=parts)

    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.complete_multipart_upload(**target, MultipartUpload=parts)


@pytest.mark.on_aws
def test_given_corrupted_part_when_uploaded_then_refused(account: Account) -> None:
    bucket, s3 = account.bucket(), account.aws.client("s3", retries={"total_max_attempts": 1})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")["UploadId"]
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()

    with pytest.raises(ClientError, match="BadDigest"):
        s3.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=1, Body=LAST, ChecksumSHA256=other)


@pytest.mark.on_aws
def test_given_object_when_put_on_condition_that_it_is_absent_then_refused(account: Account) -> None:
    bucket, s3 = account.bucket(), account.client("s3")
    s3.put_object(Bucket=bucket, Key="claim", Body=b"first", IfNoneMatch="*")

    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="claim", Body=b"second", IfNoneMatch="*")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert s3.get_object(Bucket=bucket, Key="claim")["Body"].read() == b"first"


def test_given_policy_that_denies_insecure_transport_when_called_over_loopback_then_allowed(account: Account) -> None:
    bucket = account.bucket()
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    account.put_bucket_policy(bucket, deny)
    script = f"import boto3\nboto3.client('s3').put_object(Bucket='{bucket}', Key='written', Body=b'x')"

    run = account.run_job(account.job(script))

    assert (run["JobRunState"], run.get("ErrorMessage")) == ("SUCCEEDED", None)
    account.put_bucket_policy(bucket, {name: value for name, value in deny.items() if name != "Condition"})
    assert "AccessDenied" in account.run_job(account.job(script))["ErrorMessage"]


def _upload(account: Account, bucket: str, parts: list[bytes], order: list[int] | None = None) -> dict[str, Any]:
    s3, target = account.client("s3"), {"Bucket": bucket, "Key": "key"}
    upload = s3.create_multipart_upload(**target, ChecksumAlgorithm="SHA256")["UploadId"]
    made = {}
    for number, body in enumerate(parts, 1):
        request = {**target, "UploadId": upload, "PartNumber": number, "ChecksumAlgorithm": "SHA256"}
        answer = s3.upload_part(**request, Body=body)
        made[number] = {"ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]}
    numbers = list(made) if order is None else order
    listed = [{"PartNumber": number, **made.get(number, made[1])} for number in numbers]
    return dict(s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": listed}))
