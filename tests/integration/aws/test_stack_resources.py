"""CloudFormation hands a resource to its service whole, says what the service refuses, and sees a condition change."""

import json
import uuid
from typing import Any

import pytest

from local.aws import inventory
from tests.emulated_account import EVERYTHING, SERVICES, Account

DAYS = {"Standard": "30", "Glacier": "90", "Expire": "365"}


def stack() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def bucket(**days: str) -> dict[str, Any]:
    """A bucket whose lifecycle has its days as text, as parameters give them."""
    given = {**DAYS, **days}
    transitions = [
        {"StorageClass": "STANDARD_IA", "TransitionInDays": given["Standard"]},
        {"StorageClass": "GLACIER", "TransitionInDays": given["Glacier"]},
    ]
    rule = {"Id": "r", "Status": "Enabled", "Prefix": "x/", "Transitions": transitions}
    rules = [{**rule, "ExpirationInDays": given["Expire"]}]
    return {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"LifecycleConfiguration": {"Rules": rules}}}}


def schedule(account: Account, **properties: Any) -> dict[str, Any]:
    target = {"Arn": f"arn:aws:sqs:us-east-1:000000000000:{stack()}", "RoleArn": account.role("scheduler", EVERYTHING)}
    given = {
        "ScheduleExpression": "cron(0 6 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    }
    return {"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {**given, **properties}}}


def refused(account: Account, resources: dict[str, Any]) -> str:
    """The reasons of a stack that cannot be made."""
    name = stack()
    with pytest.raises(Exception, match="StackCreateComplete"):
        account.deploy(name, resources)
    events = account.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return " ".join(event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"])


def test_given_lifecycle_when_deployed_and_changed_then_the_bucket_has_it(account: Account) -> None:
    name = stack()
    made = account.deploy(name, bucket())
    account.update(name, bucket(Glacier="120"))

    [rule] = account.client("s3").get_bucket_lifecycle_configuration(Bucket=made["Bucket"])["Rules"]

    assert [transition["Days"] for transition in rule["Transitions"]] == [30, 120]
    assert (rule["Expiration"]["Days"], rule["Filter"]["Prefix"]) == (365, "x/")


@pytest.mark.parametrize(
    ("days", "reason"),
    [({"Glacier": "59"}, "'GLACIER' must be 30 days greater"), ({"Expire": "90"}, "in the Expiration action")],
    ids=["glacier too early", "expiry too early"],
)
def test_given_days_out_of_order_when_deployed_then_the_stack_fails(
    account: Account, days: dict[str, str], reason: str
) -> None:
    assert reason in refused(account, bucket(**days))


def overlapping(**size: str) -> dict[str, Any]:
    """A bucket with a rule for a part of what another one is for."""
    made = bucket()
    rules = made["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    rules.append({**rules[0], "Id": "part", "Prefix": "x/2", **size})
    return made


def test_given_rules_that_overlap_when_deployed_then_the_stack_fails_unless_one_has_a_size(account: Account) -> None:
    assert "Found overlapping prefixes 'x/2' and 'x/' for same action" in refused(account, overlapping())

    made = account.deploy(stack(), overlapping(ObjectSizeGreaterThan="131071"))

    _, part = account.client("s3").get_bucket_lifecycle_configuration(Bucket=made["Bucket"])["Rules"]
    assert part["Filter"] == {"And": {"Prefix": "x/2", "ObjectSizeGreaterThan": 131071}}


def test_given_schedule_when_deployed_then_it_has_its_time_zone_and_key(account: Account) -> None:
    made = account.deploy(stack(), schedule(account))

    found = account.client("scheduler").get_schedule(Name=made["Schedule"])

    assert (found["ScheduleExpressionTimezone"], found["KmsKeyArn"][-5:]) == ("Europe/Berlin", "key/k")


@pytest.mark.parametrize(
    "properties",
    [
        {"ScheduleExpression": "cron(0 25 * * ? *)"},
        {"ScheduleExpression": "cron(0 6 * *)"},
        {"ScheduleExpression": "rate(0 hours)"},
        {"ScheduleExpressionTimezone": "Europe/Bremen"},
    ],
    ids=["no such hour", "too few fields", "never", "no such zone"],
)
def test_given_schedule_that_scheduler_refuses_when_deployed_then_the_stack_fails(
    account: Account, properties: dict[str, str]
) -> None:
    assert "Invalid Schedule" in refused(account, schedule(account, **properties))


def test_given_topic_with_key_when_deployed_and_changed_then_it_has_it(account: Account) -> None:
    def topic(key: str) -> dict[str, Any]:
        return {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": key}}}

    name = stack()
    made = account.deploy(name, topic("alias/one"))
    account.update(name, topic("alias/two"))

    found = account.client("sns").get_topic_attributes(TopicArn=made["Topic"])["Attributes"]
    assert found["KmsMasterKeyId"] == "alias/two"


def test_given_role_with_boundary_when_deployed_and_changed_then_it_has_it(account: Account) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": SERVICES["lambda"]}, "Action": "sts:AssumeRole"}
    trust = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    boundary = account.client("iam").create_policy(PolicyName=stack(), PolicyDocument=document)["Policy"]["Arn"]
    name = stack()

    made = account.deploy(name, {"Role": {"Type": "AWS::IAM::Role", "Properties": trust}})
    account.update(name, {"Role": {"Type": "AWS::IAM::Role", "Properties": {**trust, "PermissionsBoundary": boundary}}})

    found = account.client("iam").get_role(RoleName=made["Role"])["Role"]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary


def test_given_parameter_that_only_a_condition_reads_when_changed_then_it_is_a_change(account: Account) -> None:
    template = {
        "Parameters": {"Wanted": {"Type": "String"}},
        "Conditions": {"IsWanted": {"Fn::Equals": [{"Ref": "Wanted"}, "yes"]}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Condition": "IsWanted"},
            "Other": {"Type": "AWS::SQS::Queue"},
        },
    }
    client, name = account.client("cloudformation"), stack()
    given = {"StackName": name, "TemplateBody": json.dumps(template)}
    client.create_stack(**given, Parameters=[{"ParameterKey": "Wanted", "ParameterValue": "no"}])
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    yes = [{"ParameterKey": "Wanted", "ParameterValue": "yes"}]
    client.create_change_set(**given, Parameters=yes, ChangeSetName="wanted", ChangeSetType="UPDATE")
    changes = client.describe_change_set(StackName=name, ChangeSetName="wanted")["Changes"]

    assert [(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in changes] == [
        ("Add", "Queue")
    ]


def test_given_resources_when_made_and_deleted_then_the_inventory_has_them_and_no_longer(account: Account) -> None:
    name, before = stack(), inventory.take(account.aws.endpoint)
    made = account.deploy(name, bucket())["Bucket"]
    account.client("s3").put_object(Bucket=made, Key="a/b", Body=b"x")
    full = inventory.take(account.aws.endpoint) - before
    account.client("s3").delete_object(Bucket=made, Key="a/b")
    account.delete(name)

    assert {f"s3/buckets_meta/{made}", f"s3/objects/{made}/a/b", f"cloudformation/stacks/{name}"} <= full
    left = inventory.take(account.aws.endpoint) - before
    assert [entry for entry in left if entry.startswith("s3/")] == []
