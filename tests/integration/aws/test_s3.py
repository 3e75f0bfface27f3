"""Policies of buckets; what S3 does with objects and uploads is in tests/integration/object_stores."""

from tests.emulated_account import Account


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
