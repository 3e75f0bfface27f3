"""Encryption with a KMS key: a stack's bucket keeps its configuration, and who reads or writes needs the key as well.

AWS documented: which uses of the key S3 needs of the caller.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html

AWS documented: which uses of the key Secrets Manager needs of the caller.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html

AWS documented: who publishes to an encrypted topic needs GenerateDataKey and Decrypt.
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html

AWS assumed: a refusal names the use of the key that is missing, and the key.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id
from ministack.services import kms, s3, secretsmanager, sns
from ministack.services.cloudformation import provisioners

from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings

WRITE, READ = "kms:GenerateDataKey", "kms:Decrypt"
NEEDED = {
    "s3:PutObject": (WRITE,),
    "s3:GetObject": (READ,),
    "secretsmanager:PutSecretValue": (WRITE, READ),
    "secretsmanager:GetSecretValue": (READ,),
    "sns:Publish": (WRITE, READ),
}
_KEY_OF_BUCKET = re.compile(r"<KMSMasterKeyID>([^<]+)</KMSMasterKeyID>")
_BUCKET_KEY = "<BucketKeyEnabled>true</BucketKeyEnabled>"
_denied: ContextVar[tuple[str, str] | None] = ContextVar("denied_use_of_key", default=None)


def apply(settings: Settings) -> None:
    """Patch encryption."""
    for owner, name in ((s3, "_bucket_encryption"), (s3, "_put_bucket_encryption"), (kms, "_resolve_key")):
        attribute(owner, name)
    for owner, name in ((secretsmanager, "_resolve"), (sns, "_topic_by_arn_any_scope")):
        attribute(owner, name)
    wrap(provisioners, "_s3_apply_configurations", _keep_encryption)
    if settings.auth:
        wrap(iam_evaluator, "enforce", _enforce_use_of_key)
        wrap(iam_actions, "access_denied_response", _name_the_key)
        wrap(s3, "_complete_multipart_upload", _complete_needs_decrypt)


def _keep_encryption(original: Callable[..., None]) -> Callable[..., None]:
    def configure(name: str, properties: dict[str, Any], old: dict[str, Any] | None = None) -> None:
        original(name, properties, old)
        rules = (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration") or []
        for rule in rules:
            default = rule["ServerSideEncryptionByDefault"]
            key = default.get("KMSMasterKeyID")
            inner = f"<SSEAlgorithm>{default['SSEAlgorithm']}</SSEAlgorithm>"
            inner += f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
            enabled = str(rule.get("BucketKeyEnabled", False)).lower()
            inner = f"<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>"
            inner = f"<Rule>{inner}<BucketKeyEnabled>{enabled}</BucketKeyEnabled></Rule>"
            root = "ServerSideEncryptionConfiguration"
            s3._put_bucket_encryption(name, f"<{root}>{inner}</{root}>".encode())

    return configure


def _enforce_use_of_key(original: Callable[..., Any]) -> Callable[..., Any]:
    def enforce(access_key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
        _denied.set(None)
        denied = original(access_key, action, service, region, resource_arn=resource_arn, **more)
        key = key_of(action, resource_arn) if denied is None and action in NEEDED else None
        context = _context(service, region, resource_arn)
        for use in NEEDED[action] if key else ():
            denied = original(access_key, use, "kms", region, resource_arn=key, service_context=context)
            if denied is not None:
                _denied.set((use, str(key)))
                return denied
        return denied

    return enforce


def _name_the_key(original: Callable[..., Any]) -> Callable[..., Any]:
    def respond(service: str, action: str, *arguments: Any, **keywords: Any) -> Any:
        denied = _denied.get()
        if denied is not None:
            action, keywords["resource_arn"] = denied
        return original(service, action, *arguments, **keywords)

    return respond


def _complete_needs_decrypt(original: Callable[..., Any]) -> Callable[..., Any]:
    """Ask for it where the upload is completed: it is not known yet when the action s3:PutObject is checked.

    AWS documented: S3 must decrypt the parts to put them together.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
    """

    def complete(bucket: str, key: str, body: bytes, query: dict[str, Any], headers: Any = None) -> Any:
        kms_key = _key_of_bucket(bucket)
        caller = extract_access_key_id(headers or {}, query)
        if kms_key and caller:
            context = _context("s3", get_region(), f"arn:aws:s3:::{bucket}/{key}")
            denied = iam_evaluator.enforce(
                caller, READ, "kms", get_region(), resource_arn=kms_key, service_context=context
            )
            if denied is not None:
                message = f"{denied.principal_arn} is not authorized to perform: {READ} on resource: {kms_key}"
                return s3._error("AccessDenied", message, 403, f"/{bucket}/{key}")
        return original(bucket, key, body, query, headers)

    return complete


def key_of(action: str, resource_arn: str) -> str | None:
    """ARN of the key with which a resource is encrypted, or None for AWS's own keys, which need no permission."""
    service = action.partition(":")[0]
    if service == "s3":
        return _key_of_bucket(resource_arn.rpartition(":")[2].partition("/")[0])
    if service == "secretsmanager":
        _, secret = secretsmanager._resolve(resource_arn)
        return _arn((secret or {}).get("KmsKeyId"))
    topic = sns._topic_by_arn_any_scope(resource_arn)
    return _arn(((topic or {}).get("attributes") or {}).get("KmsMasterKeyId"))


def _context(service: str, region: str, resource_arn: str) -> dict[str, str]:
    """Condition keys of a call that a service makes to KMS; the encryption context only for S3.

    AWS documented: S3's encryption context is the ARN of the object, with a bucket key that of the bucket.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
    """
    via = {"kms:ViaService": f"{service}.{region}.amazonaws.com"}
    if service != "s3":
        return via
    bucket = resource_arn.partition("/")[0]
    has_bucket_key = _BUCKET_KEY in (s3._bucket_encryption.get(bucket.rpartition(":")[2]) or "")
    return via | {"kms:EncryptionContext:aws:s3:arn": bucket if has_bucket_key else resource_arn}


def _key_of_bucket(bucket: str) -> str | None:
    found = _KEY_OF_BUCKET.search(s3._bucket_encryption.get(bucket) or "")
    return _arn(found.group(1)) if found else None


def _arn(key: str | None) -> str | None:
    record = kms._resolve_key(key) if key and not key.startswith("alias/aws/") else None
    return str(record["Arn"]) if record else None
