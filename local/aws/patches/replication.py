"""S3 replicates in a role: what that may not do fails the replica. The rule of a template's bucket reaches S3.

AWS documented: what S3 needs to replicate, and when objects are encrypted with KMS.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html

AWS documented: source and destination are versioned.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html

AWS assumed: all that is documented is needed for each object, of objects without tags as well.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.services import iam, s3
from ministack.services.cloudformation import provisioners

from local.aws.authorization import services
from local.aws.patches import encryption
from local.aws.patches.replace import attribute, wrap
from local.aws.patches.stack_resources import RefusedError
from local.aws.settings import Settings

OF_THE_BUCKET = ("s3:GetReplicationConfiguration", "s3:ListBucket")
OF_THE_OBJECT = ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
OF_THE_REPLICA = ("s3:ReplicateObject", "s3:ReplicateTags")


def apply(settings: Settings) -> None:
    """Patch replication."""
    for owner, name in ((s3, "_bucket_replication"), (s3, "_bucket_versioning"), (iam, "_roles")):
        attribute(owner, name)
    wrap(provisioners, "_s3_apply_configurations", _with_replication)
    if settings.auth:
        wrap(s3, "_replication_destination", _in_its_role)


def _with_replication(original: Callable[..., None]) -> Callable[..., None]:
    def configure(bucket: str, properties: dict[str, Any], *old: Any) -> None:
        original(bucket, properties, *old)
        wanted = properties.get("ReplicationConfiguration")
        for rule in (wanted or {}).get("Rules", ()):
            destination = rule["Destination"]["Bucket"].rpartition(":")[2]
            if s3._bucket_versioning.get(destination) != "Enabled":
                what = f"Destination bucket {destination} must exist and have versioning enabled."
                raise RefusedError(f"AWS::S3::Bucket ReplicationConfiguration: {what}")
        if wanted:
            s3._bucket_replication[bucket] = wanted
        else:
            s3._bucket_replication.pop(bucket, None)

    return configure


def _in_its_role(original: Callable[..., Any]) -> Callable[..., Any]:
    def destination(bucket: str, key: str, rule: dict[str, Any], role: str) -> Any:
        trust = (iam._roles.get(role.rpartition("/")[2]) or {}).get("AssumeRolePolicyDocument", "")
        asked = [services.trusts(role, trust, "s3.amazonaws.com")]
        asked += [services.role_may(role, action, resource) for action, resource in _needed(bucket, key, rule)]
        return original(bucket, key, rule, role) if all(asked) else None

    return destination


def _needed(bucket: str, key: str, rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    source, replica = f"arn:aws:s3:::{bucket}", rule["Destination"]["Bucket"]
    yield from ((action, source) for action in OF_THE_BUCKET)
    yield from ((action, f"{source}/{key}") for action in OF_THE_OBJECT)
    yield from ((action, f"{replica}/{key}") for action in OF_THE_REPLICA)
    encrypted_with = encryption.key_of("s3:GetObject", f"{source}/{key}")
    if encrypted_with:
        yield "kms:Decrypt", encrypted_with
        yield "kms:Encrypt", rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]
