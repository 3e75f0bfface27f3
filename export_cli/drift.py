"""What of a stack somebody deleted or changed, and how CloudFormation makes it what the template says.

An ordinary deployment compares templates, so it does nothing about drift.

AWS documented: a drift-aware change set compares with what is there, and makes again what is gone (scenario 3 of the
second page). https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
https://aws.amazon.com/blogs/devops/safely-handle-configuration-drift-with-cloudformation-drift-aware-change-sets/

Types without drift detection, custom resources among them, it leaves alone.
"""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from export_runtime.errors import AwsCallError
from export_runtime.text import one_line

from export_cli.aws import Aws, call
from export_cli.target import Stack

POLL_SECONDS = 3.0
_ADVICE = "Allow cloudformation:CreateChangeSet, DescribeChangeSet, ExecuteChangeSet and DeleteChangeSet on the stack."
# CloudFormation's words for a change set without a change.
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_UNCHANGED = "SyncWithActual"


@dataclass(frozen=True)
class Change:
    """What CloudFormation would do (``Add``, ``Modify``, ``Remove``) to a resource."""

    action: str
    resource: str
    kind: str


@dataclass(frozen=True)
class Drift:
    """A change set that undoes drift; without changes there is none."""

    stack: str
    change_set: str
    changes: tuple[Change, ...]


def find_drift(aws: Aws, stack: Stack) -> Drift:
    """Let CloudFormation compare a stack with what is there.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``; also when the comparison fails, with its reason.
    """
    client, name = aws.client("cloudformation"), f"repair-{secrets.token_hex(6)}"
    with call(f"compare stack {stack.name} with what is there", _ADVICE):
        client.create_change_set(
            StackName=stack.name,
            ChangeSetName=name,
            UsePreviousTemplate=True,
            DeploymentMode="REVERT_DRIFT",
            Capabilities=["CAPABILITY_IAM"],
            # What is not said here would get the template's default.
            Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in stack.parameters],
        )
        status, reason, changes = _described(client, stack.name, name)
    drift = Drift(stack.name, name, changes if status == "CREATE_COMPLETE" else ())
    if not drift.changes:
        discard(aws, drift)
    if status == "FAILED" and not any(words in reason for words in _NOTHING):
        raise AwsCallError(f"Stack {stack.name} cannot be compared with what is there: {one_line(reason, 1000)}")
    return drift


def revert(aws: Aws, drift: Drift) -> str:
    """Carry the changes out, and return the stack's status afterwards.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    client = aws.client("cloudformation")
    with call(f"change stack {drift.stack}", _ADVICE):
        client.execute_change_set(StackName=drift.stack, ChangeSetName=drift.change_set)
        while True:
            time.sleep(POLL_SECONDS)
            [found] = client.describe_stacks(StackName=drift.stack)["Stacks"]
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                return str(found["StackStatus"])


def discard(aws: Aws, drift: Drift) -> None:
    """Leave everything as it is.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with call(f"delete change set {drift.change_set}", _ADVICE):
        aws.client("cloudformation").delete_change_set(StackName=drift.stack, ChangeSetName=drift.change_set)


def _described(client: Any, stack: str, name: str) -> tuple[str, str, tuple[Change, ...]]:
    while True:
        found = client.describe_change_set(StackName=stack, ChangeSetName=name)
        if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
        time.sleep(POLL_SECONDS)
    pages = client.get_paginator("describe_change_set").paginate(StackName=stack, ChangeSetName=name)
    changes = [each["ResourceChange"] for page in pages for each in page.get("Changes", ())]
    return (
        found["Status"],
        found.get("StatusReason", ""),
        tuple(
            Change(each["Action"], each["LogicalResourceId"], each["ResourceType"])
            for each in changes
            if each["Action"] != _UNCHANGED
        ),
    )
