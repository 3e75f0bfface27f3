"""Commands that put a configuration right, made from what is configured now: what is there stays."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from export_cli.checks.finding import Patient

Document = dict[str, Any]
# A line of the command line's output is cut after 4,000 characters; a command that is cut is worse than none.
_LONGEST = 3000


def encrypt(patient: Patient, bucket: str, key: str) -> str:
    """Return the command that sets a bucket's default encryption."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    option = f"--server-side-encryption-configuration {_argument({'Rules': [rule]})}"
    return patient.aws_cli(f"s3api put-bucket-encryption --bucket {bucket} {option}")


def deny_plain_text(patient: Patient, bucket: str, policy: Document) -> str:
    """Return the command that adds the statement TlsOnly to a bucket's policy, or says what to add to a long one."""
    partition = patient.target.output("KeyArn").split(":")[1]
    arn = f"arn:{partition}:s3:::{bucket}"
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    command = patient.aws_cli(f"s3api put-bucket-policy --bucket {bucket} --policy {_added(policy, statement)}")
    return _or_said(command, "Add to its policy", statement)


def abort_uploads(patient: Patient, bucket: str, lifecycle: Mapping[str, Any], prefix: str) -> str:
    """Return the command that adds a rule about incomplete uploads to a bucket's, or says what to add to long ones."""
    rule = {"ID": f"IncompleteUploads-{prefix}", "Status": "Enabled", "Filter": {"Prefix": prefix}}
    rule |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    rules = [*map(_with_filter, lifecycle.get("Rules", ())), rule]
    options = f"--lifecycle-configuration {_argument({'Rules': rules})}"
    size = "TransitionDefaultMinimumObjectSize"
    if size in lifecycle:  # what is left out would go back to the default
        options += f" --transition-default-minimum-object-size {lifecycle[size]}"
    command = patient.aws_cli(f"s3api put-bucket-lifecycle-configuration --bucket {bucket} {options}")
    return _or_said(command, "Add the lifecycle rule", rule)


def let_alarms_in(patient: Patient, key: str, policy: Document) -> str:
    """Return the command that lets CloudWatch use a key, as the template's key does, or says what to add."""
    _, partition, _, region, account, _ = key.split(":", 5)
    alarms = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{patient.target.name}-*"
    statement = {
        "Sid": "AlarmsToTheTopic",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": alarms}},
    }
    # By its id: not every version of KMS's own tools takes an ARN here.
    options = f"--key-id {key.rpartition('/')[2]} --policy-name default --policy {_added(policy, statement)}"
    return _or_said(patient.aws_cli(f"kms put-key-policy {options}"), "Add to its policy", statement)


def _added(policy: Document, statement: Document) -> str:
    known: Any = policy.get("Statement", [])
    statements: Sequence[Document] = known if isinstance(known, list) else [known]
    others = [each for each in statements if each.get("Sid") != statement["Sid"]]
    return _argument({"Version": "2012-10-17", **policy, "Statement": [*others, statement]})


def _with_filter(rule: Mapping[str, Any]) -> Document:
    # The older form, a prefix of its own, cannot stand beside rules with a filter.
    rest = {name: value for name, value in rule.items() if name != "Prefix"}
    return rest if "Filter" in rule else {**rest, "Filter": {"Prefix": rule.get("Prefix", "")}}


def _argument(document: Document) -> str:
    return shlex.quote(json.dumps(document, default=lambda moment: moment.isoformat()))


def _or_said(command: str, what: str, document: Document) -> str:
    return command if len(command) <= _LONGEST else f"{what}: {json.dumps(document)}"
