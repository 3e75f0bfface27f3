"""CloudFormation: definitions in YAML, `Ref` of a secret is its ARN, saved queries and role policies are resources.

AWS documented: a state machine's definition on S3 may be YAML.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-stepfunctions-statemachine.html

AWS documented: AWS::IAM::RolePolicy is embedded in the role; another name or role is another resource.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-rolepolicy.html
"""

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import yaml
from ministack.services import athena, cloudformation
from ministack.services.cloudformation import provisioners

from local.aws.patches.replace import attribute, wrap, wrap_entry
from local.aws.settings import Settings

JOB_NUMBERS = ("Timeout", "NumberOfWorkers", "MaxRetries")
AT_WORK = re.compile(rb"<StackStatus>(?!REVIEW)\w+_IN_PROGRESS<")
LOOKS, LOOK_SECONDS = 200, 0.1


def apply(settings: Settings) -> None:
    """Patch CloudFormation."""
    wrap(cloudformation, "handle_request", _when_it_has_ended)
    wrap(provisioners, "_sfn_definition", _as_json)
    wrap(provisioners, "_glue_job_fields", _with_numbers)
    wrap_entry(provisioners, "_RESOURCE_HANDLERS", "AWS::SecretsManager::Secret", _secret_by_arn)
    handlers = attribute(provisioners, "_RESOURCE_HANDLERS")
    handlers.setdefault("AWS::Logs::QueryDefinition", {"create": _save_query, "update": _keep_query, "delete": _forget})
    handlers.setdefault("AWS::Athena::NamedQuery", {"create": _save_named_query, "delete": _drop_named_query})
    role_policy = {"create": _put_role_policy, "update": _renew_role_policy, "delete": _drop_role_policy}
    handlers.setdefault("AWS::IAM::RolePolicy", role_policy)


def _when_it_has_ended(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let the AWS CLI's look at a stack at work last until its end: what takes two seconds it sees after thirty."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        answer = await original(method, path, headers, body, query)
        if b"Action=DescribeStacks" in body and "aws-cli/" in headers.get("user-agent", ""):
            for _ in range(LOOKS):
                if not AT_WORK.search(answer[2]):
                    break
                await asyncio.sleep(LOOK_SECONDS)
                answer = await original(method, path, headers, body, query)
        return answer

    return handle_request


def _save_query(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """A query that the console offers. There is no console here, so it is only given an id."""
    identifier = str(uuid.uuid4())
    return identifier, {"QueryDefinitionId": identifier}


def _save_named_query(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """The same in Athena, which hands it out again."""
    _, _, body = attribute(athena, "_create_named_query")(properties)
    identifier = json.loads(body)["NamedQueryId"]
    return identifier, {"NamedQueryId": identifier}


def _drop_named_query(physical_id: str, properties: dict[str, Any]) -> None:
    attribute(athena, "_delete_named_query")({"NamedQueryId": physical_id})


def _keep_query(physical_id: str, *_: Any, **__: Any) -> Any:
    return physical_id, {"QueryDefinitionId": physical_id}


def _forget(physical_id: str, properties: dict[str, Any]) -> None:
    pass


def _as_json(original: Callable[..., str]) -> Callable[..., str]:
    def definition(properties: dict[str, Any]) -> str:
        text = original(properties)
        return json.dumps(yaml.safe_load(text)) if properties.get("DefinitionS3Location") else text

    return definition


def _with_numbers(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A parameter reaches a job as text.

    AWS assumed: CloudFormation converts text to the number that the Glue API has.
    """

    def fields(properties: dict[str, Any]) -> dict[str, Any]:
        job = original(properties)
        if "ExecutionProperty" in job:
            job["ExecutionProperty"] = {name: int(value) for name, value in job["ExecutionProperty"].items()}
        return {name: int(value) if name in JOB_NUMBERS and value is not None else value for name, value in job.items()}

    return fields


def _secret_by_arn(handlers: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Give the ARN; ministack gives the name, which no role's policy would match.

    AWS documented: `Ref` of a secret is its ARN.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html
    """

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        _, attributes = handlers["create"](logical_id, properties, stack)
        return attributes["Arn"], attributes

    def update(physical_id: str, *arguments: Any, **keywords: Any) -> Any:
        _, attributes = handlers["update"](secret_name(physical_id), *arguments, **keywords)
        return attributes["Arn"], attributes

    def delete(physical_id: str, properties: dict[str, Any]) -> Any:
        return handlers["delete"](secret_name(physical_id), properties)

    return {**handlers, "create": create, "update": update, "delete": delete}


def secret_name(arn: str) -> str:
    """Return the name of the secret with this ARN."""
    return arn.split(":secret:", 1)[-1].rsplit("-", 1)[0]


def _put_role_policy(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """Embed the policy in the role, as AWS::IAM::Policy would in one role."""
    one_role = {**properties, "Roles": [properties["RoleName"]]}
    attribute(provisioners, "_iam_policy_put")(one_role, properties["PolicyName"])
    return f"{properties['PolicyName']}|{properties['RoleName']}", {}


def _renew_role_policy(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Any:
    """Another name or role is another resource: CloudFormation deletes the one with the old id at the end."""
    return _put_role_policy("", new, stack)


def _drop_role_policy(physical_id: str, properties: dict[str, Any]) -> None:
    name, role = physical_id.split("|")
    attribute(provisioners, "_iam_policy_drop")({"Roles": [role]}, name)
