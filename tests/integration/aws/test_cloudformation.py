"""CloudFormation makes what a template says, and waits for custom resources."""

import json
import uuid
from typing import Any

import pytest
import yaml

from tests.emulated_account import EVERYTHING, Account

RESPOND = """
import json, time, urllib.error, urllib.request
def handler(event, context):
    while "WaitsFor" in event["ResourceProperties"]:
        try:
            urllib.request.urlopen(event["ResourceProperties"]["WaitsFor"])
            break
        except urllib.error.HTTPError:
            time.sleep(0.1)
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": event["ResourceProperties"]["Answer"], "Reason": "as asked", "PhysicalResourceId": "made",
               "Data": {"Uri": "s3://somewhere"}}
    if event["RequestType"] == "Delete":
        answer["Status"] = "SUCCESS"
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
"""
FLOW = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}


def stack() -> str:
    """A new stack name."""
    return f"stack-{uuid.uuid4().hex[:8]}"


def job(**properties: Any) -> dict[str, Any]:
    """A Glue job as a resource."""
    command = {"Name": "glueetl", "ScriptLocation": "s3://somewhere/script.py"}
    return {
        "Type": "AWS::Glue::Job",
        "Properties": {"Role": "arn:aws:iam::000000000000:role/x", "Command": command, **properties},
    }


def machine(account: Account, location: dict[str, str]) -> dict[str, Any]:
    """A state machine whose definition is in S3, as `sam deploy` makes it from a DefinitionUri."""
    properties = {
        "DefinitionS3Location": location,
        "DefinitionSubstitutions": {"Name": "substituted"},
        "RoleArn": account.role("states", EVERYTHING),
    }
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}


def test_given_job_with_execution_property_when_deployed_then_it_has_it(account: Account) -> None:
    made = account.deploy(stack(), {"Job": job(ExecutionProperty={"MaxConcurrentRuns": 7}), "Plain": job()})

    glue = account.client("glue")
    found = [glue.get_job(JobName=made[name])["Job"]["ExecutionProperty"] for name in ("Job", "Plain")]
    assert found == [{"MaxConcurrentRuns": 7}, {"MaxConcurrentRuns": 1}]


def test_given_definition_in_yaml_when_deployed_then_the_machine_runs(account: Account) -> None:
    flow = {"QueryLanguage": "JSONata", **FLOW, "States": {"A": {"Type": "Succeed", "Output": {"name": "${Name}"}}}}

    made = account.deploy(stack(), {"Machine": machine(account, _put(account, yaml.safe_dump(flow)))})

    assert json.loads(account.execute(made["Machine"])["output"]) == {"name": "substituted"}


def test_given_definition_with_a_mistake_when_deployed_then_the_stack_fails(account: Account) -> None:
    broken = json.dumps({**FLOW, "StartAt": "No"})

    assert "InvalidDefinition" in _failure(account, {"Machine": machine(account, _put(account, broken))})


def test_given_secret_when_deployed_then_its_reference_is_its_arn(account: Account) -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": f"{stack()}/database"}}

    made = account.deploy(stack(), {"Secret": secret})

    assert made["Secret"].startswith("arn:aws:secretsmanager:")
    assert account.client("secretsmanager").describe_secret(SecretId=made["Secret"])["ARN"] == made["Secret"]


def test_given_custom_resource_when_deployed_then_its_answer_is_an_attribute(account: Account) -> None:
    custom = _custom(account, "SUCCESS")
    script = {"Fn::GetAtt": ["Custom", "Uri"]}

    made = account.deploy(
        stack(), {"Custom": custom, "Job": job(Command={"Name": "glueetl", "ScriptLocation": script})}
    )

    assert made["Custom"] == "made"
    assert account.client("glue").get_job(JobName=made["Job"])["Job"]["Command"]["ScriptLocation"] == "s3://somewhere"


def test_given_custom_resource_that_fails_when_deployed_then_the_stack_fails_with_its_reason(account: Account) -> None:
    assert "as asked" in _failure(account, {"Custom": _custom(account, "FAILED")})


def role_policy(role: str, name: str) -> dict[str, Any]:
    """A role, and a policy in it as a resource of its own."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    properties = {"RoleName": role, "PolicyName": name, "PolicyDocument": document}
    return {"Policy": {"Type": "AWS::IAM::RolePolicy", "Properties": properties}}


def test_given_role_policy_when_renamed_then_the_old_one_goes_and_both_go_with_the_stack(account: Account) -> None:
    role = account.role("lambda", EVERYTHING).rsplit("/", 1)[1]
    iam, name = account.client("iam"), stack()
    account.deploy(name, role_policy(role, "first"))
    had = iam.list_role_policies(RoleName=role)["PolicyNames"]

    account.update(name, role_policy(role, "second"))
    renamed = iam.list_role_policies(RoleName=role)["PolicyNames"]
    account.delete(name)

    assert (sorted(had), sorted(renamed)) == (["first", "inline"], ["inline", "second"])
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["inline"]


def test_given_a_saved_query_of_athena_then_it_goes_with_the_stack(account: Account) -> None:
    name, athena = stack(), account.client("athena")
    query = {"Name": "q", "Database": "d", "QueryString": "SELECT 1", "WorkGroup": "primary"}
    account.deploy(name, {"Query": {"Type": "AWS::Athena::NamedQuery", "Properties": query}})
    saved = athena.list_named_queries()["NamedQueryIds"]
    account.delete(name)
    assert (len(saved), athena.list_named_queries()["NamedQueryIds"]) == (1, [])


def test_given_a_stack_at_work_when_the_aws_cli_looks_then_it_sees_the_end(account: Account) -> None:
    # GIVEN a stack whose one resource is made when there is an object
    name, place, s3 = stack(), {"Bucket": account.bucket(), "Key": "made"}, account.client("s3")
    url = s3.generate_presigned_url("get_object", Params=place)
    resources = {"Asset": _custom(account, "SUCCESS", WaitsFor=url)}
    body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    account.client("cloudformation").create_stack(StackName=name, TemplateBody=body)

    def status(agent: str) -> str:
        cloudformation = account.aws.client("cloudformation", user_agent_extra=agent)
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    # WHEN others look, THEN it is at work; and when the AWS CLI does, at its end
    assert status("boto3") == "CREATE_IN_PROGRESS"
    s3.put_object(**place)
    assert status("aws-cli/2") == "CREATE_COMPLETE"


def _custom(account: Account, answer: str, **properties: str) -> dict[str, Any]:
    service = account.function(RESPOND)
    return {"Type": "Custom::Asset", "Properties": {"ServiceToken": service, "Answer": answer, **properties}}


def _put(account: Account, text: str) -> dict[str, str]:
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="definition", Body=text.encode())
    return {"Bucket": bucket, "Key": "definition"}


def _failure(account: Account, resources: dict[str, Any]) -> str:
    """The reasons of the failed resources of a stack that cannot be made."""
    name = stack()
    with pytest.raises(Exception, match="StackCreateComplete"):
        account.deploy(name, resources)
    events = account.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return " ".join(event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"])
