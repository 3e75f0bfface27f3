"""Has S3 copied the newest export to where the stack's parameter ReplicaBucketArn says?

AWS documented: what HeadObject says of an object that a rule copies.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html
"""

from datetime import timedelta

from export_cli.aws import call, read_or_none
from export_cli.checks.finding import Finding, Patient, failed, passed
from export_cli.exports import Exports
from export_cli.screen import age
from export_cli.target import store

COMPLETED, PENDING, FAILED, GONE = "COMPLETED", "PENDING", "FAILED", "GONE"
_NEVER = ""  # no rule has ever concerned the object
# AWS documented: most objects are copied within seconds or minutes, some take hours.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html
_PATIENCE = timedelta(hours=24)
_AGAIN = "S3 Batch Replication copies what the rule did not"


def second_copy(patient: Patient) -> Finding:
    """Has S3 copied the newest COMPLETE and full export, if it is to be copied?

    Raises:
        NotFoundError: there is no such export.
    """
    bucket = patient.target.parameters.get("ReplicaBucketArn", "")
    if not bucket:
        return passed("none is asked for: the stack's parameter ReplicaBucketArn is empty")
    latest = Exports(store(patient.aws, patient.target), patient.target.where(), patient.target.coverage).latest()
    details = latest.summary.details.values() if latest.summary else ()
    keys = [*(table.key for table in details), latest.key]
    by_status: dict[str, list[str]] = {}
    for key in keys:
        by_status.setdefault(_status(patient, key), []).append(key)
    when = f"{latest.export_id}, {age(latest.started, patient.now)}"
    return _verdict(by_status, len(keys), f"{when}, to {bucket}", patient.now - latest.started)


def _verdict(by_status: dict[str, list[str]], number: int, what: str, waited: timedelta) -> Finding:
    for status, (said, fix) in _WRONG.items():
        if found := by_status.get(status):
            return failed(f"{len(found)} of {number} objects of {what}, {said}: {found[0]}", fix)
    if found := by_status.get(PENDING):
        said = f"{len(found)} of {number} objects of {what}, are still to be copied"
        if waited > _PATIENCE:
            return failed(f"{said}: {found[0]}", f"An alarm tells when S3 gives up; {_AGAIN}")
        return passed(said)
    return passed(f"all {number} objects of {what}, are copied")


_MAY_NOT = (
    "See that the bucket exists and is versioned, and that its policy and its key's let the role of the stack's "
    f"output ReplicationRoleArn write (docs/configure.md); {_AGAIN}"
)
_WRONG = {
    FAILED: ("could not be copied", _MAY_NOT),
    _NEVER: ("were written before the stack copied anything", f"Wait for the next export; {_AGAIN}"),
    GONE: ("are gone", "See the check of the last export"),
}


def _status(patient: Patient, key: str) -> str:
    bucket = patient.target.where().bucket
    with call(f"look at s3://{bucket}/{key}", "Allow s3:GetObject and s3:ListBucket on the export bucket."):
        head = read_or_none(lambda: patient.aws.client("s3").head_object(Bucket=bucket, Key=key))
    return GONE if head is None else str(head.get("ReplicationStatus", _NEVER))
