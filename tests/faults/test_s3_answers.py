"""What S3 documents that it answers: errors inside a 200, refused and lost writes, archived and foreign objects.

AWS documented: the errors of S3. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html

AWS documented: CompleteMultipartUpload may fail after a 200. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario

ALWAYS = None
SMALL = ["variable"]
MANIFEST = r"/_runs/\d+T\d+Z/(logs|definitions)\.json"
LOCK = "/_runs/_current.json"
BEFORE_THE_AGGREGATION = ("lambda", "Invoke", "AggregateResults")


def test_error_inside_a_200(scenario: Scenario) -> None:
    """CompleteMultipartUpload answers 200 with an InternalError inside."""
    failed = scenario.faults.refuse("s3", "CompleteMultipartUpload", "InternalError", 200, resource="/log_")

    scenario.start()

    scenario.must_complete()
    assert failed.hits == 1


def test_always_an_error_inside_a_200(scenario: Scenario) -> None:
    """CompleteMultipartUpload always answers 200 with an InternalError inside."""
    scenario.faults.refuse("s3", "CompleteMultipartUpload", "InternalError", 200, resource="/log_", times=ALWAYS)

    scenario.start()

    scenario.must_fail("cannot complete the upload of s3://", "/log_", "InternalError")


def test_part_that_hangs(scenario: Scenario) -> None:
    """S3 does not answer an UploadPart: the client gives up waiting and sends it again."""
    with scenario.faults.held("s3", "UploadPart", "/log_", times=1) as held:
        scenario.start()
        held.wait()
        control.wait_until_ended(scenario)

    scenario.must_complete()


def test_look_that_hangs(scenario: Scenario) -> None:
    """S3 does not answer when the aggregation looks at an object: it looks again."""
    with scenario.faults.held(*BEFORE_THE_AGGREGATION) as aggregation:
        scenario.start(include_tables=SMALL)
        aggregation.wait()
        hangs = scenario.undo.enter_context(scenario.faults.held("s3", "HeadObject", "/variable_", times=1))

    scenario.must_complete()
    assert hangs.hits == 1


def test_table_may_not_be_looked_at(scenario: Scenario) -> None:
    """S3 refuses to show an object to the aggregation; a redrive repeats only that."""
    refused = scenario.faults.refuse("s3", "HeadObject", "AccessDenied", 403, resource="/variable_", times=ALWAYS)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("Aggregate Results", "Could not look at s3://", "/variable_", "403", "nobody has verified")
    refused.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)
    assert control.runs_of(scenario) == ["definitions"]


def test_s3_is_unavailable_for_the_aggregation(scenario: Scenario) -> None:
    """S3 answers 503 whenever the aggregation looks at an object, for longer than the SDK tries."""
    unavailable = scenario.faults.refuse("s3", "HeadObject", "ServiceUnavailable", 503, resource="/variable_", times=4)

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert unavailable.hits == 4


def test_manifest_refused(scenario: Scenario) -> None:
    """S3 refuses the manifest once: the tables are there, and the retry keeps them."""
    refused = scenario.faults.refuse("s3", "PutObject", "AccessDenied", 403, resource=MANIFEST)

    scenario.start()

    scenario.must_recover("logs", "cannot write s3://", "logs.json", "AccessDenied")
    assert refused.hits == 1


def test_summary_refused(scenario: Scenario) -> None:
    """S3 refuses the summary; a redrive repeats only the aggregation."""
    refused = scenario.faults.refuse("s3", "PutObject", "AccessDenied", 403, resource="/export_summary_", times=ALWAYS)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("Aggregate Results", "Could not write s3://", "export_summary_", "AccessDenied")
    refused.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)


def test_answers_to_all_writes_of_the_functions_lost(scenario: Scenario) -> None:
    """The lock, the summary and latest.json are written, but the answers are lost: what was written counts."""
    lost = [
        scenario.faults.refuse("s3", "PutObject", "InternalError", 500, resource=key, after=True)
        for key in (LOCK, "/export_summary_", "/latest.json")
    ]

    scenario.start()

    scenario.must_complete()
    assert [each.hits for each in lost] == [1, 1, 1]


def test_latest_always_changed_by_others(scenario: Scenario) -> None:
    """latest.json is changed by others whenever it is to be moved (412): the export is COMPLETE, a redrive moves it."""
    changed = scenario.faults.refuse(
        "s3", "PutObject", "PreconditionFailed", 412, resource="/latest.json", times=ALWAYS
    )
    scenario.start()
    control.must_fail_after_export(scenario, "Aggregate Results", "latest.json", "was changed 5 times by others")
    changed.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)


def test_lock_always_changed_by_others(scenario: Scenario) -> None:
    """The lock is changed by others whenever it is to be taken (409 and 412)."""
    scenario.faults.refuse("s3", "PutObject", "ConditionalRequestConflict", 409, resource=LOCK, times=2)
    scenario.faults.refuse("s3", "PutObject", "PreconditionFailed", 412, resource=LOCK, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Plan Export", "_current.json", "was changed 5 times by others")
    assert control.runs_of(scenario) == []


def test_lock_damaged(scenario: Scenario) -> None:
    """The lock is not what this project writes: it holds nothing, and is replaced."""
    s3, bucket = scenario.client("s3"), scenario.pipeline.bucket
    key = next(key for key in keys(scenario) if key.endswith(LOCK))
    s3.put_object(Bucket=bucket, Key=key, Body=b'{"execution_arn": ["not", ')

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])["execution_arn"] == control.arn(scenario)


def test_lock_archived(scenario: Scenario) -> None:
    """A lifecycle rule has archived the lock, which may still be held: it is to be restored."""
    scenario.faults.refuse("s3", "GetObject", "InvalidObjectState", 403, resource=LOCK, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Plan Export", "_current.json", "InvalidObjectState", "restore it first")


def test_everything_of_earlier_exports_archived(scenario: Scenario) -> None:
    """latest.json and every summary of earlier exports are archived: the export does not need them."""
    earlier = [re.escape(key) for key in keys(scenario) if "/latest" in key or "/export_summary_" in key]
    archived = scenario.faults.refuse(
        "s3", "GetObject", "InvalidObjectState", 403, resource="|".join(earlier), times=ALWAYS
    )

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert archived.hits > 0


def test_unfinished_uploads_may_not_be_listed(scenario: Scenario) -> None:
    """ListMultipartUploads is refused, to the run and to what tidies up."""
    scenario.faults.refuse("s3", "ListMultipartUploads", "AccessDenied", 403, times=ALWAYS)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("cannot list the uploads below s3://", "AccessDenied", "COULD NOT BE DONE")


def delete(scenario: Scenario, key: str) -> None:
    scenario.client("s3").delete_object(Bucket=scenario.pipeline.bucket, Key=key)


def overwrite(scenario: Scenario, key: str) -> None:
    s3, bucket = scenario.client("s3"), scenario.pipeline.bucket
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body[:-1] + bytes([body[-1] ^ 1]), ChecksumAlgorithm="SHA256")


@pytest.mark.parametrize(("change", "said"), [(delete, "does not exist"), (overwrite, "has SHA-256")])
def test_table_changed_before_the_aggregation(
    scenario: Scenario, change: Callable[[Scenario, str], None], said: str
) -> None:
    """Somebody deletes or overwrites a table's object between the run and the aggregation."""
    with scenario.faults.held(*BEFORE_THE_AGGREGATION) as aggregation:
        scenario.start(include_tables=SMALL)
        aggregation.wait()
        [key] = control.keys(scenario)
        change(scenario, key)

    scenario.must_recover("definitions", "/variable_", said)


def test_manifest_of_another_run(scenario: Scenario) -> None:
    """The manifest that the aggregation finds is of another run of the same group."""
    s3, bucket = scenario.client("s3"), scenario.pipeline.bucket
    before = set(keys(scenario))
    with scenario.faults.held(*BEFORE_THE_AGGREGATION) as aggregation:
        scenario.start(include_tables=SMALL)
        aggregation.wait()
        [key] = [key for key in set(keys(scenario)) - before if key.endswith("/definitions.json")]
        manifest: dict[str, Any] = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest | {"job_run_id": "jr_" + 8 * "0"}).encode())

    scenario.must_recover("definitions", "its manifest has job_run_id", "jr_00000000")


@pytest.mark.parametrize(
    ("code", "operation", "status", "state"),
    [
        ("KMS.DisabledException", "PutObject", 400, "Plan Export"),
        ("KMS.DisabledException", "CreateMultipartUpload", 400, "logs"),
        ("NoSuchBucket", ".*", 404, "Plan Export"),
    ],
    ids=["key disabled", "key disabled in the run", "bucket deleted"],
)
def test_nothing_can_be_written(scenario: Scenario, code: str, operation: str, status: int, state: str) -> None:
    """The KMS key is disabled or the bucket is deleted: every write is refused."""
    scenario.faults.refuse("s3", operation, code, status, times=ALWAYS)

    scenario.start()

    scenario.must_fail(state, code)


def test_session_expires_in_mid_upload(scenario: Scenario) -> None:
    """The credentials of the run's session expire in mid-upload (ExpiredToken)."""
    scenario.faults.refuse("s3", "UploadPart", "ExpiredToken", 400, resource="/log_")

    scenario.start()

    scenario.must_recover("cannot upload part 1 of s3://", "/log_", "ExpiredToken")


def keys(scenario: Scenario) -> list[str]:
    pages = scenario.client("s3").get_paginator("list_objects_v2").paginate(Bucket=scenario.pipeline.bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
