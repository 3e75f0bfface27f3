"""Secrets Manager keeps the versions of a secret that have a label."""

import pytest

from tests.emulated_account import Account


@pytest.mark.on_aws
def test_given_versions_with_labels_of_their_own_then_they_stay_when_another_is_the_current_one(
    account: Account,
) -> None:
    secrets = account.client("secretsmanager")
    arn = secrets.create_secret(Name="labelled")["ARN"]
    versions = [f"{number:032d}" for number in range(3)]
    for number, version in enumerate(versions):
        new = {"ClientRequestToken": version, "VersionStages": ["AWSCURRENT", f"kept-{number}"]}
        secrets.put_secret_value(SecretId=arn, SecretString=f"key {number}", **new)

    secrets.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", RemoveFromVersionId=versions[2], MoveToVersionId=versions[0]
    )

    assert {
        version: set(labels) for version, labels in secrets.describe_secret(SecretId=arn)["VersionIdsToStages"].items()
    } == {
        versions[0]: {"kept-0", "AWSCURRENT"},
        versions[1]: {"kept-1"},
        versions[2]: {"kept-2", "AWSPREVIOUS"},
    }
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "key 0"
    assert secrets.get_secret_value(SecretId=arn, VersionId=versions[1])["SecretString"] == "key 1"
