"""Faults of S3."""

import json

import pytest

from local.fault_matrix.scenario import Scenario
from local.pipeline import STACK

ALWAYS = None


def test_slow_down_on_some_calls(scenario: Scenario) -> None:
    """503 SlowDown on some calls."""
    slow = scenario.faults.slow_down(".*", times=5)

    scenario.start()

    scenario.must_complete()
    assert slow.hits == 5


def test_slow_down_on_all_calls(scenario: Scenario) -> None:
    """503 SlowDown on all calls."""
    scenario.faults.slow_down(".*", times=ALWAYS)

    scenario.start()

    scenario.must_fail("Plan Export", "SlowDown")


def test_slow_down_on_all_parts(scenario: Scenario) -> None:
    """503 SlowDown on all parts of a table."""
    scenario.faults.slow_down("UploadPart", "/log_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("cannot upload part 1 of s3://", "/log_", "SlowDown")


def test_slow_down_on_the_summary(scenario: Scenario) -> None:
    """503 SlowDown whenever the summary is written."""
    scenario.faults.slow_down("PutObject", "/export_summary_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("export_summary_", "SlowDown")


def test_access_denied(scenario: Scenario) -> None:
    """The Glue job's role may no longer write."""
    role = scenario.client("glue").get_job(JobName=STACK)["Job"]["Role"].rpartition("/")[2]
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::*/*.csv.gz"}
    iam, policy = scenario.client("iam"), json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="fault", PolicyDocument=policy)
    scenario.undo.callback(iam.delete_role_policy, RoleName=role, PolicyName="fault")

    scenario.start()

    scenario.must_fail("logs", "AccessDenied", ".csv.gz")


def test_bucket_policy(scenario: Scenario) -> None:
    """The bucket's policy refuses what is written."""
    s3, bucket = scenario.client("s3"), scenario.pipeline.bucket
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    document = json.loads(before)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*_*.gz"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({**document, "Statement": [*document["Statement"], deny]}))
    scenario.undo.callback(s3.put_bucket_policy, Bucket=bucket, Policy=before)

    scenario.start()

    scenario.must_fail("AccessDenied", "export_summary_")


def test_lifecycle(scenario: Scenario) -> None:
    """A lifecycle rule aborts an upload that is under way."""
    s3, bucket = scenario.client("s3"), scenario.pipeline.bucket
    scenario.start()

    with scenario.faults.held("s3", "UploadPart", "/log_") as held:
        held.wait()
        [upload] = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    scenario.must_recover("cannot upload part 1 of s3://", "NoSuchUpload")


def test_lost_answer_to_the_completion_of_an_upload(scenario: Scenario) -> None:
    """S3 makes the object, its answer is lost, and it knows no such upload when the SDK asks again."""
    lost = scenario.faults.refuse("s3", "CompleteMultipartUpload", "InternalError", 500, resource="/log_", after=True)

    scenario.start()

    scenario.must_complete()
    assert lost.hits == 1


@pytest.mark.representative
def test_corrupted_part(scenario: Scenario) -> None:
    """A part is corrupted on its way."""
    corrupted = scenario.faults.corrupt("UploadPart", "/log_")

    scenario.start()

    scenario.must_complete()
    assert corrupted.hits == 1


def test_parts_always_corrupted(scenario: Scenario) -> None:
    """Every part is corrupted on its way."""
    scenario.faults.corrupt("UploadPart", "/log_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("cannot upload part 1 of s3://", "BadDigest")


def test_lost_object(scenario: Scenario) -> None:
    """CompleteMultipartUpload is answered, but there is no object."""
    scenario.faults.lose("/log_")

    scenario.start()

    scenario.must_recover("logs", "/log_", "does not exist")


def test_always_lost_object(scenario: Scenario) -> None:
    """CompleteMultipartUpload is always answered, but there is never an object."""
    scenario.faults.lose("/log_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("logs", "/log_", "does not exist")


@pytest.mark.parametrize(("operation", "key"), [("PutObject", "/job_"), ("CompleteMultipartUpload", "/log_")])
def test_short_object(scenario: Scenario, operation: str, key: str) -> None:
    """An object is shorter than the manifest says."""
    scenario.faults.truncate(operation, key)

    scenario.start()

    scenario.must_recover("logs", key, "bytes, the manifest says")
