"""Faults that a test sets do what the real thing does, as often as they were told to, and nothing else."""

import base64
import hashlib
import subprocess
import sys
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.injection.client import FaultError, Faults
from tests.emulated_account import Account
from tests.integration.aws.conftest import code_of, once


def upload(s3: Any, bucket: str, body: bytes = b"part") -> tuple[str, dict[str, Any]]:
    """Begin an upload of one part and return its id and the part."""
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")["UploadId"]
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    request = {"Bucket": bucket, "Key": "key", "UploadId": upload_id, "PartNumber": 1, "Body": body}
    return upload_id, s3.upload_part(**request, ChecksumSHA256=checksum)


def test_given_no_fault_then_everything_works(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")

    upload_id, part = upload(s3, bucket)

    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload_id, MultipartUpload=parts)
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"part"
    assert faults.hits() == {}


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("s3", "ListObjectsV2", lambda client: client.list_objects_v2(Bucket="b")),
        ("s3", "HeadObject", lambda client: client.head_object(Bucket="b", Key="k")),
        ("glue", "GetJobs", lambda client: client.get_jobs()),
        ("sns", "ListTopics", lambda client: client.list_topics()),
        ("lambda", "ListFunctions", lambda client: client.list_functions()),
        ("secretsmanager", "ListSecrets", lambda client: client.list_secrets()),
        ("stepfunctions", "ListStateMachines", lambda client: client.list_state_machines()),
    ],
    ids=["s3", "s3 without a body", "glue", "sns", "lambda", "secretsmanager", "stepfunctions"],
)
def test_given_refusal_when_called_then_the_error_has_its_code(
    account: Account, faults: Faults, service: str, operation: str, call: Any
) -> None:
    name = {"stepfunctions": "states"}.get(service, service)
    fault = faults.refuse(name, operation, "OddException", 418, "odd message")

    with pytest.raises(ClientError) as refused:
        call(once(account, service))

    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 418
    assert answer["Error"]["Code"] == ("418" if operation == "HeadObject" else "OddException")
    assert fault.hits == 1


def test_given_fault_for_two_calls_after_one_then_the_second_and_third_fail(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    fault = faults.slow_down("PutObject", skip=1, times=2)

    codes = [code_of(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x")) for _ in range(4)]

    assert codes == ["", "SlowDown", "SlowDown", ""]
    assert fault.hits == 2


def test_given_fault_for_a_key_then_other_keys_and_operations_work(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    faults.slow_down("PutObject", rf"{bucket}/logs/.*\.json$", times=None)

    s3.put_object(Bucket=bucket, Key="logs/a.csv", Body=b"x")

    assert s3.list_objects_v2(Bucket=bucket, Prefix="logs/a.json").get("Contents") is None
    assert code_of(lambda: s3.put_object(Bucket=bucket, Key="logs/a.json", Body=b"x")) == "SlowDown"


def test_given_removed_fault_then_calls_work_again(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    fault = faults.slow_down("PutObject", times=None)

    fault.remove()

    assert code_of(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x")) == ""


def test_given_corruption_when_a_part_is_uploaded_then_its_checksum_is_refused(
    account: Account, faults: Faults
) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    faults.corrupt("UploadPart")

    assert code_of(lambda: upload(s3, bucket)) == "BadDigest"
    assert code_of(lambda: upload(s3, bucket)) == ""


def test_given_lost_completion_then_the_answer_is_fine_and_the_object_is_missing(
    account: Account, faults: Faults
) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    upload_id, part = upload(s3, bucket)
    faults.lose()

    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]}
    answer = s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload_id, MultipartUpload=parts)

    assert answer["Key"] == "key"
    assert code_of(lambda: s3.head_object(Bucket=bucket, Key="key")) == "404"


def test_given_truncation_when_put_then_half_of_the_object_is_there(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    faults.truncate("PutObject")

    s3.put_object(Bucket=bucket, Key="key", Body=b"12345678")

    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"1234"


def test_given_held_call_then_it_waits_until_the_block_is_left(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    put = threading.Thread(target=lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x"))

    with faults.held("s3", "PutObject", bucket) as held:
        put.start()
        held.wait()
        assert code_of(lambda: s3.head_object(Bucket=bucket, Key="key")) == "404"

    put.join(60)
    assert code_of(lambda: s3.head_object(Bucket=bucket, Key="key")) == ""


def test_given_caller_to_kill_when_it_calls_then_it_is_dead_and_nothing_happened(
    account: Account, faults: Faults
) -> None:
    bucket = account.bucket()
    faults.kill_caller("s3", "PutObject", bucket)
    code = f"import boto3; boto3.client('s3').put_object(Bucket={bucket!r}, Key='key', Body=b'x')"

    done = subprocess.run([sys.executable, "-c", code], env=account.aws.env, capture_output=True, check=False)

    assert done.returncode == -9
    assert code_of(lambda: once(account, "s3").head_object(Bucket=bucket, Key="key")) == "404"


def test_given_caller_to_kill_after_its_call_then_it_is_dead_and_the_call_had_its_effect(
    account: Account, faults: Faults
) -> None:
    bucket = account.bucket()
    faults.kill_caller("s3", "PutObject", bucket, after=True)
    code = f"import boto3; boto3.client('s3').put_object(Bucket={bucket!r}, Key='key', Body=b'x')"

    done = subprocess.run([sys.executable, "-c", code], env=account.aws.env, capture_output=True, check=False)

    assert done.returncode == -9
    assert code_of(lambda: once(account, "s3").head_object(Bucket=bucket, Key="key")) == ""


def test_given_lost_answer_then_the_call_fails_and_has_had_its_effect(account: Account, faults: Faults) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    faults.refuse("s3", "PutObject", "InternalError", 500, after=True)

    assert code_of(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x")) == "InternalError"
    assert code_of(lambda: s3.head_object(Bucket=bucket, Key="key")) == ""


def test_given_amended_answer_then_only_the_given_fields_differ(account: Account, faults: Faults) -> None:
    glue, job = once(account, "glue"), account.job("pass")
    before = glue.get_job(JobName=job)["Job"]
    faults.amend("glue", "GetJob", "Job", {"Description": "amended"})

    assert glue.get_job(JobName=job)["Job"] == {**before, "Description": "amended"}


def test_given_skipped_run_then_it_reports_success_and_its_script_did_not_run(account: Account, faults: Faults) -> None:
    job = account.job("raise SystemExit('it ran')")
    faults.skip_glue_run(r'"--GROUP": "logs"')

    assert account.run_job(job, Arguments={"--GROUP": "runs"})["JobRunState"] == "FAILED"
    assert account.run_job(job, Arguments={"--GROUP": "logs"})["JobRunState"] == "SUCCEEDED"
    assert account.run_job(job, Arguments={"--GROUP": "logs"})["JobRunState"] == "FAILED"


def test_given_fault_that_nothing_hits_when_waited_for_then_it_says_so(faults: Faults) -> None:
    fault = faults.slow_down("PutObject", "no-such-bucket")

    with pytest.raises(FaultError, match="has hit 0 times"):
        fault.wait(seconds=0.1)


def test_given_fault_that_spares_the_owner_then_only_a_role_is_hit(account: Account) -> None:
    bucket, s3 = account.bucket(), once(account, "s3")
    job = account.job(f"import boto3\nboto3.client('s3').put_object(Bucket='{bucket}', Key='key', Body=b'x')")
    sparing = Faults(account.aws.endpoint, spares_owner=True)
    fault = sparing.refuse("s3", "PutObject", "OddError", resource=bucket, times=None)

    assert code_of(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x")) == ""
    assert "OddError" in account.run_job(job)["ErrorMessage"]
    fault.remove()
