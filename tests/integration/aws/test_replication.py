"""S3 copies what a rule of a template's bucket says, in a role that may do all that it needs."""

import uuid
from typing import Any

import pytest

from local.aws.patches.replication import OF_THE_BUCKET, OF_THE_OBJECT, OF_THE_REPLICA
from tests.emulated_account import EVERYTHING, Account


@pytest.fixture(scope="module")
def copies(account: Account) -> str:
    """A versioned bucket."""
    bucket = account.bucket()
    account.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def replicating(account: Account, role: str, copies: str) -> dict[str, Any]:
    """A bucket whose objects below `x/` are copied, with a key on both sides."""
    keys = [account.client("kms").create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    rule = {"Id": "Exports", "Status": "Enabled", "Priority": 0, "Filter": {"Prefix": "x/"}}
    encryption = {"ReplicaKmsKeyID": keys[1]}
    rule["Destination"] = {"Bucket": f"arn:aws:s3:::{copies}", "EncryptionConfiguration": encryption}
    default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keys[0]}}
    properties = {
        "VersioningConfiguration": {"Status": "Enabled"},
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [default]},
        "ReplicationConfiguration": {"Role": role, "Rules": [rule]},
    }
    return {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}


@pytest.mark.parametrize(
    "denied", [None, *OF_THE_BUCKET, *OF_THE_OBJECT, *OF_THE_REPLICA, "kms:Decrypt", "kms:Encrypt"]
)
def test_given_a_rule_when_an_object_is_written_then_it_is_copied_unless_the_role_may_not(
    account: Account, copies: str, denied: str | None
) -> None:
    statements = [EVERYTHING, *([{"Effect": "Deny", "Action": denied, "Resource": "*"}] if denied else [])]
    resources = replicating(account, account.role("s3", *statements), copies)
    bucket = account.deploy(f"stack-{uuid.uuid4().hex[:8]}", resources)["Bucket"]
    s3, key = account.client("s3"), f"x/{uuid.uuid4().hex}"
    for each in (key, "elsewhere"):
        s3.put_object(Bucket=bucket, Key=each, Body=b"x")

    assert s3.head_object(Bucket=bucket, Key=key)["ReplicationStatus"] == ("FAILED" if denied else "COMPLETED")
    assert "ReplicationStatus" not in s3.head_object(Bucket=bucket, Key="elsewhere")
    assert s3.list_objects_v2(Bucket=copies, Prefix=key)["KeyCount"] == (0 if denied else 1)
