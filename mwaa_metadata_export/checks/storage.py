"""Do bucket and key still have what an export needs? They may be the owner's, and anybody may change them."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError
from export_contracts.aws import error_code

from mwaa_metadata_export.aws import call
from mwaa_metadata_export.checks.finding import Finding, Patient, failed, passed, read_or_none

_ASSETS = "assets/"  # with a folder for each environment
# S3's words for: nobody has configured that.
_NOT_CONFIGURED = (
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
)

Document = dict[str, Any]


def bucket(patient: Patient) -> Finding:
    """Is the bucket encrypted with the stack's key, private, and tidied without touching what is needed?"""
    where, key = patient.target.where(), patient.target.output("KeyArn")
    s3, name = patient.aws.client("s3"), where.bucket
    advice = "Allow s3:ListBucket, GetEncryptionConfiguration, GetBucketPublicAccessBlock, GetBucketPolicy and "
    with call(f"look at the configuration of bucket {name}", advice + "GetLifecycleConfiguration on it."):
        if read_or_none(lambda: s3.head_bucket(Bucket=name)) is None:
            return failed(f"there is no bucket {name}", "sam build && sam deploy, with a bucket that exists.")
        encryption = _configured(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"])
        access = _configured(lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"])
        policy = json.loads(_configured(lambda: s3.get_bucket_policy(Bucket=name)["Policy"]) or "{}")
        lifecycle = _configured(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)) or {}
    rules = [rule for rule in lifecycle.get("Rules", ()) if rule["Status"] == "Enabled"]
    exports, assets = f"{where.root}/", f"{_ASSETS}{where.environment}/"
    problems = [
        *_encryption_problems(encryption or {}, key),
        *_access_problems(access or {}, policy, name),
        *_lifecycle_problems(rules, f"{where.base_prefix}/", exports, assets),
    ]
    if problems:
        return failed(
            "; ".join(problem for problem, _ in problems),
            " ".join(f"({number}) {fix}" for number, (_, fix) in enumerate(problems, 1)),
        )
    expiring = [rule["Expiration"] for rule in rules if "Expiration" in rule and _covers(rule, exports)]
    days = [expiration["Days"] for expiration in expiring if "Days" in expiration]
    dates = [expiration["Date"] for expiration in expiring if "Date" in expiration]
    kept = f"exports expire after {min(days)} days" if days else "exports are kept for ever"
    kept = f"all exports are deleted on {min(dates):%Y-%m-%d}" if dates else kept
    return passed(f"{name}: encrypted with the stack's key, private, TLS only; {kept}")


def key(patient: Patient) -> Finding:
    """Is the key usable, and may alarms use it? Without that no alarm reaches the encrypted topic."""
    arn = patient.target.output("KeyArn")
    with call(f"look at key {arn}", "Allow kms:DescribeKey and kms:GetKeyPolicy on it."):
        kms = patient.aws.client("kms")
        found = read_or_none(lambda: kms.describe_key(KeyId=arn)["KeyMetadata"])
        if found is None:
            return failed("the key does not exist", "Nothing can be read without it: name another as ExistingKeyArn.")
        policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    cancel = f"aws kms cancel-key-deletion --key-id {arn} && " if found["KeyState"] == "PendingDeletion" else ""
    if found["KeyState"] != "Enabled":
        return failed(
            f"the key is {found['KeyState']}: nothing can be written or read",
            f"{cancel}aws kms enable-key --key-id {arn}",
        )
    if not _lets_alarms_in(policy):
        return failed(
            "its policy does not let CloudWatch use it: no alarm reaches the alert topic",
            "Add the statement that the stack's output KeyPolicyStatement gives (docs/configure.md).",
        )
    return passed("Enabled, and alarms may use it")


Problem = tuple[str, str]
"""what is wrong, and the fix"""


def _encryption_problems(configuration: Document, key: str) -> Iterator[Problem]:
    rule: Document = next(iter(configuration.get("Rules", ())), {})
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    used = default.get("KMSMasterKeyID", "")
    same = used.rpartition("/")[2] == key.rpartition("/")[2]  # a bucket may name its key by ARN or by id
    if not (same and str(default.get("SSEAlgorithm")).startswith("aws:kms")):
        what = used or default.get("SSEAlgorithm", "no key")
        yield f"default encryption is with {what}", f"Set its default encryption to aws:kms with {key}."
    elif not rule.get("BucketKeyEnabled"):
        yield "S3 bucket keys are off: each object costs a KMS request", "Turn on its bucket key."


def _access_problems(access: Document, policy: Document, name: str) -> Iterator[Problem]:
    wanted = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    missing = [setting for setting in wanted if not access.get(setting)]
    if missing:
        settings = ",".join(f"{setting}=true" for setting in wanted)
        yield (
            f"public access is not blocked ({', '.join(missing)})",
            f"aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {settings}",
        )
    if not any(_denies_plain_text(statement, name) for statement in _list(policy.get("Statement", []))):
        yield (
            "requests without TLS are not denied",
            "Add to its policy a Deny of s3:* on bucket and objects for everybody where aws:SecureTransport is false.",
        )


def _lifecycle_problems(rules: list[Document], base: str, exports: str, assets: str) -> Iterator[Problem]:
    # Environments may share the bucket, each with rules for its own prefixes.
    if not any("AbortIncompleteMultipartUpload" in rule and _covers(rule, exports) for rule in rules):
        yield (
            f"incomplete uploads below {base} are never aborted",
            f"Add a lifecycle rule for {base} that aborts incomplete multipart uploads after a day.",
        )
    for rule in rules:
        prefix = _prefix(rule)
        expires = {"Days", "Date"} & set(rule.get("Expiration", {}))
        if expires and (assets.startswith(prefix) or prefix.startswith(assets)):
            yield (
                f"lifecycle rule {rule.get('ID', 'without a name')} deletes the Glue job's script below {assets}",
                f"Limit that rule to the prefix {base}.",
            )


def _prefix(rule: Document) -> str:
    chosen = rule.get("Filter", {})
    return str(chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or rule.get("Prefix") or "")


def _covers(rule: Document, prefix: str) -> bool:
    """Say whether a rule is for all objects below a prefix: one that also asks for tags or sizes is not."""
    chosen = rule.get("Filter", {})
    return set(chosen) <= {"Prefix"} and prefix.startswith(_prefix(rule))


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
