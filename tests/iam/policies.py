"""The policies of a running stack: read, and written back when a test changes one."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Document = dict[str, Any]
Client = Callable[[str], Any]
INLINE, MANAGED, TRUST = "inline", "managed", "trust"  # the others are named by the resource that has the policy


@dataclass(frozen=True)
class Place:
    """Where a policy is.

    Args:
        kind: INLINE, MANAGED, TRUST, or the type of the resource that has it.
        owner: name of the role; for TRUST its ARN; else the ARN of the resource.
        label: logical id of what has the policy, for people; empty outside the stack.
        name: of the inline policy, ARN of the managed one, or how the API calls the resource.
    """

    kind: str
    owner: str
    label: str
    name: str = ""


Policies = Mapping[Place, Document]


def of_role(policies: Policies, role: str) -> list[Document]:
    """The documents that say what a role may do."""
    return [document for place, document in policies.items() if place.kind in (INLINE, MANAGED) and place.owner == role]


def of_resource(policies: Policies, arn: str) -> Document | None:
    """The document that a resource, or a role as something to assume, has of its own."""
    own = [
        document for place, document in policies.items() if place.kind not in (INLINE, MANAGED) and place.owner == arn
    ]
    return own[0] if own else None


def read_all(client: Client, stack: str) -> Policies:
    """Read every policy of every role and key of the account, and of every other resource of the stack."""
    found = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    labels = {resource["PhysicalResourceId"]: resource["LogicalResourceId"] for resource in found}
    policies = dict([*_of_roles(client("iam"), labels), *_of_keys(client("kms"), labels)])
    for resource in found:
        read = _READERS.get(resource["ResourceType"])
        if read:
            policies |= read(client, resource["PhysicalResourceId"], resource["LogicalResourceId"])
    return policies


def write(client: Client, place: Place, document: Document) -> None:
    """Put a changed policy in the place of the one that is there."""
    text = json.dumps(document)
    iam = client("iam")
    match place.kind:
        case "inline":
            iam.put_role_policy(RoleName=place.owner, PolicyName=place.name, PolicyDocument=text)
        case "trust":
            iam.update_assume_role_policy(RoleName=place.owner.rsplit("/", 1)[-1], PolicyDocument=text)
        case "key":
            client("kms").put_key_policy(KeyId=place.name, PolicyName="default", Policy=text)
        case "bucket":
            client("s3").put_bucket_policy(Bucket=place.name, Policy=text)
        case "queue":
            client("sqs").set_queue_attributes(QueueUrl=place.name, Attributes={"Policy": text})
        case "topic":
            client("sns").set_topic_attributes(TopicArn=place.name, AttributeName="Policy", AttributeValue=text)
        case _:
            raise ValueError(f"no test writes a policy of kind {place.kind}")


def _of_roles(iam: Any, labels: Mapping[str, str]) -> Iterator[tuple[Place, Document]]:
    for role in iam.list_roles()["Roles"]:
        name, label = role["RoleName"], labels.get(role["RoleName"], "")
        yield Place(TRUST, role["Arn"], label), _document(role["AssumeRolePolicyDocument"])
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            yield Place(INLINE, name, label, policy), _document(document)
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            yield Place(MANAGED, name, labels.get(arn, ""), arn), _document(document)


def _of_keys(kms: Any, labels: Mapping[str, str]) -> Iterator[tuple[Place, Document]]:
    for key in kms.list_keys()["Keys"]:
        name, policy = key["KeyId"], kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
        yield Place("key", key["KeyArn"], labels.get(name, ""), name), _document(policy)


def _of_bucket(client: Client, bucket: str, label: str) -> dict[Place, Document]:
    policy = client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    return {Place("bucket", f"arn:aws:s3:::{bucket}", label, bucket): _document(policy)}


def _of_queue(client: Client, url: str, label: str) -> dict[Place, Document]:
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    return {Place("queue", found["QueueArn"], label, url): _document(found["Policy"])}


def _of_topic(client: Client, arn: str, label: str) -> dict[Place, Document]:
    policy = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    return {Place("topic", arn, label, arn): _document(policy)}


def _of_function(client: Client, name: str, label: str) -> dict[Place, Document]:
    functions = client("lambda")
    try:
        policy = functions.get_policy(FunctionName=name)["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return {}
    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    return {Place("function", arn, label, name): _document(policy)}


_READERS = {
    "AWS::S3::Bucket": _of_bucket,
    "AWS::SQS::Queue": _of_queue,
    "AWS::SNS::Topic": _of_topic,
    "AWS::Lambda::Function": _of_function,
}


def _document(policy: str | Document) -> Document:
    return policy if isinstance(policy, dict) else dict(json.loads(unquote(policy) if policy[:1] == "%" else policy))
