"""Do bucket and key still have what an export needs? They may be the owner's, and anybody may change them."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError
from export_runtime.aws import error_code

from export_cli.aws import call, read_or_none
from export_cli.checks import commands, retention
from export_cli.checks.commands import Document
from export_cli.checks.finding import Finding, Patient, Problem, failed, passed
from export_cli.checks.stack import DEPLOY

# S3's words for: nobody has configured that.
_NOT_CONFIGURED = (
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
)


def bucket(patient: Patient) -> Finding:
    """Is the bucket encrypted with the stack's key, private, and tidied without touching what is needed?"""
    where, key = patient.target.where(), patient.target.output("KeyArn")
    s3, name = patient.aws.client("s3"), where.bucket
    advice = "Allow s3:ListBucket, GetEncryptionConfiguration, GetBucketPublicAccessBlock, GetBucketPolicy, "
    advice += "GetLifecycleConfiguration and GetIntelligentTieringConfiguration on it."
    with call(f"look at the configuration of bucket {name}", advice):
        if read_or_none(lambda: s3.head_bucket(Bucket=name)) is None:
            return failed(f"there is no bucket {name}", _another_bucket(patient))
        encryption = _configured(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"])
        access = _configured(lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"])
        policy = json.loads(_configured(lambda: s3.get_bucket_policy(Bucket=name)["Policy"]) or "{}")
        configured = _configured(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)) or {}
        lifecycle = retention.read_rules(s3, name, configured)
    problems = [
        *_encryption_problems(patient, encryption or {}, name, key),
        *_access_problems(patient, access or {}, policy, name),
        *retention.problems(patient, configured, lifecycle),
    ]
    if problems:
        return failed(
            "; ".join(problem for problem, _ in problems),
            " ".join(f"({number}) {fix}" for number, (_, fix) in enumerate(problems, 1)),
        )
    kept = retention.how_long(lifecycle, where)
    return passed(f"{name}: encrypted with the stack's key, private, TLS only; {kept}")


def key(patient: Patient) -> Finding:
    """Is the key usable, and may alarms use it? Without that no alarm reaches the encrypted topic."""
    arn = patient.target.output("KeyArn")
    with call(f"look at key {arn}", "Allow kms:DescribeKey and kms:GetKeyPolicy on it."):
        kms = patient.aws.client("kms")
        found = read_or_none(lambda: kms.describe_key(KeyId=arn)["KeyMetadata"])
        if found is None:
            another = f"{DEPLOY} --parameter-overrides ExistingKeyArn=<ARN of a key>"
            return failed("the key does not exist", f"What it encrypted is lost. Deploy with another: {another}")
        policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    if found["KeyState"] != "Enabled":
        detail = f"the key is {found['KeyState']}: nothing can be written or read"
        return failed(detail, _usable_again(patient, arn, found["KeyState"]))
    if not _lets_alarms_in(policy):
        return failed(
            "its policy does not let CloudWatch use it: no alarm reaches the alert topic",
            f"Let it: {commands.let_alarms_in(patient, arn, policy)}",
        )
    return passed("Enabled, and alarms may use it")


def _another_bucket(patient: Patient) -> str:
    if patient.target.parameters.get("ExistingBucketName"):
        return f"Deploy with one that exists: {DEPLOY} --parameter-overrides ExistingBucketName=<name>"
    return f"Have an empty one made (what was in it is gone): {patient.ours('repair --yes')}"


def _usable_again(patient: Patient, arn: str, state: str) -> str:
    """Return the fix for a key that cannot be used.

    AWS documented: what a KMS key can do in each state, and how it gets out of it.
    https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """
    identifier = arn.rpartition("/")[2]
    enable = patient.aws_cli(f"kms enable-key --key-id {identifier}")
    if state == "Disabled":
        return f"Enable it: {enable}"
    if state == "PendingDeletion":
        cancel = patient.aws_cli(f"kms cancel-key-deletion --key-id {identifier}")
        return f"Keep it: {cancel} && {enable}"
    if state == "PendingImport":
        return "Import its key material again."
    if state == "Unavailable":
        return "Connect its custom key store again."
    return "Wait until it is Enabled."


def _encryption_problems(patient: Patient, configuration: Document, name: str, key: str) -> Iterator[Problem]:
    rule: Document = next(iter(configuration.get("Rules", ())), {})
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    used = default.get("KMSMasterKeyID", "")
    same = used.rpartition("/")[2] == key.rpartition("/")[2]  # a bucket may name its key by ARN or by id
    if not (same and str(default.get("SSEAlgorithm")).startswith("aws:kms")):
        what = used or default.get("SSEAlgorithm", "no key")
        yield f"default encryption is with {what}", f"Set it: {commands.encrypt(patient, name, key)}"
    elif not rule.get("BucketKeyEnabled"):
        detail = "S3 bucket keys are off: each object costs a KMS request"
        yield detail, f"Turn them on: {commands.encrypt(patient, name, key)}"


def _access_problems(patient: Patient, access: Document, policy: Document, name: str) -> Iterator[Problem]:
    wanted = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    missing = [setting for setting in wanted if not access.get(setting)]
    if missing:
        settings = "--public-access-block-configuration " + ",".join(f"{setting}=true" for setting in wanted)
        block = patient.aws_cli(f"s3api put-public-access-block --bucket {name} {settings}")
        yield f"public access is not blocked ({', '.join(missing)})", f"Block it: {block}"
    if not any(_denies_plain_text(statement, name) for statement in _list(policy.get("Statement", []))):
        yield "requests without TLS are not denied", f"Deny them: {commands.deny_plain_text(patient, name, policy)}"


def _denies_plain_text(statement: Document, name: str) -> bool:
    conditions = statement.get("Condition", {})
    secure = {**conditions.get("BoolIfExists", {}), **conditions.get("Bool", {})}.get("aws:SecureTransport", "")
    resources = [str(each).rpartition(":")[2] for each in _list(statement.get("Resource", []))]
    return (
        statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and not {"s3:*", "*"}.isdisjoint(_list(statement.get("Action", [])))
        and [str(value).lower() for value in _list(secure)] == ["false"]
        and any(fnmatchcase(f"{name}/any key", resource) for resource in resources)
    )


def _lets_alarms_in(policy: Document) -> bool:
    allowed = {
        action
        for statement in _list(policy.get("Statement", []))
        if statement["Effect"] == "Allow" and isinstance(statement.get("Principal"), dict)
        if "cloudwatch.amazonaws.com" in _list(statement["Principal"].get("Service", []))
        for action in _list(statement.get("Action", []))
    }
    needed = ("kms:Decrypt", "kms:GenerateDataKey")
    return all(any(fnmatchcase(action, pattern) for pattern in allowed) for action in needed)


def _list(value: Any) -> list[Any]:
    """Return what a policy says once or several times as a list."""
    return value if isinstance(value, list) else [value]


def _configured(read: Callable[[], Any]) -> Any:
    """Return what a call returns, or None when nobody has configured that."""
    try:
        return read()
    except ClientError as error:
        if error_code(error) in _NOT_CONFIGURED:
            return None
        raise
