"""The parts of a sound environment, for the tests of `doctor`: moto's, and fakes for what moto has not."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.unit.cli.made import BUCKET, MACHINE

ROLE = "prod-mwaa-role"
DAGS = "prod-dags"
SECRET = {"engine": "postgres", "host": "db.internal", "port": 5432, "dbname": "AirflowMetadata", "username": "airflow"}
SECRET |= {"password": "CANARY-9f3", "sslmode": "require"}


@cache
def client(service: str) -> Any:
    """Return a client; kept between tests, because to make one takes longer than most of them."""
    return boto3.client(service)  # type: ignore[call-overload]


def refusal(code: str, operation: str = "Call", message: str = "not allowed") -> ClientError:
    """Return what AWS answers when it refuses."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)  # type: ignore[typeddict-item]


class Mwaa:
    """The one environment."""

    def __init__(self, subnets: list[str], groups: list[str]) -> None:
        """Give it a network."""
        self.environment: dict[str, Any] | None = {
            "Name": "prod",
            "Status": "AVAILABLE",
            "AirflowVersion": "3.0.6",
            "SourceBucketArn": f"arn:aws:s3:::{DAGS}",
            "DagS3Path": "dags",
            "ExecutionRoleArn": f"arn:aws:iam::123456789012:role/service-role/{ROLE}",
            "NetworkConfiguration": {"SubnetIds": subnets, "SecurityGroupIds": groups},
        }

    def get_environment(self, Name: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Return it."""
        if self.environment is None or Name != "prod":
            raise refusal("ResourceNotFoundException")
        return {"Environment": self.environment}


class StepFunctions:
    """The state machine."""

    status: str | None = "ACTIVE"

    def describe_state_machine(self, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803 - AWS' name
        """Return it."""
        if self.status is None or stateMachineArn != MACHINE:
            raise refusal("StateMachineDoesNotExist")
        return {"status": self.status}


class Sns:
    """The subscriptions of the topic."""

    subscriptions: tuple[tuple[str, str], ...] | None = (
        ("ops@example.com", "arn:aws:sns:eu-central-1:123456789012:alerts:1"),
    )

    def get_paginator(self, _: str) -> "Sns":
        """Return what has pages."""
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        """Yield one page; as with AWS nothing is asked before."""
        if self.subscriptions is None:
            raise refusal("NotFound")
        yield {"Subscriptions": [{"Endpoint": end, "SubscriptionArn": arn} for end, arn in self.subscriptions]}


class S3:
    """moto's S3 with a bucket policy, which moto would apply without a look at its conditions, and replication."""

    replication: str | None = None

    def __init__(self) -> None:
        """Give the bucket the policy that the template gives it."""
        self.statement: dict[str, Any] | None = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }

    def __getattr__(self, name: str) -> Any:
        """Return what moto has."""
        return getattr(client("s3"), name)

    def head_object(self, **place: str) -> dict[str, Any]:
        """Return what moto has, and what replication did."""
        head: dict[str, Any] = client("s3").head_object(**place)
        return head | ({"ReplicationStatus": self.replication} if self.replication else {})

    def get_bucket_policy(self, Bucket: str) -> dict[str, str]:  # noqa: N803 - AWS' name
        """Return it."""
        if self.statement is None or Bucket != BUCKET:
            raise refusal("NoSuchBucketPolicy")
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": self.statement})}


def make_network() -> tuple[list[str], list[str]]:
    """Return a subnet with a NAT gateway, and a security group that lets itself in."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    group = ec2.create_security_group(GroupName="mwaa", Description="d", VpcId=vpc)["GroupId"]
    itself = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])
    return [subnet], [group]


def make_schedule(state: str) -> None:
    """Make the fallback schedule."""
    target = {"Arn": MACHINE, "RoleArn": "arn:aws:iam::123456789012:role/r"}
    shape = {
        "ScheduleExpression": "cron(0 6 * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        "State": state,
    }
    client("scheduler").create_schedule(Name="prod-metadata-export", **shape)  # type: ignore[arg-type]


def make_policy() -> None:
    """Make the execution role, with the policy of the stack attached."""
    iam = client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}", Path="/service-role/")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_policy(PolicyName="prod-policy", PolicyDocument=document)
    iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::123456789012:policy/prod-policy")


ALARMS = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Resource": "*",
}


def key_policy(*statements: dict[str, Any]) -> str:
    """Return a key policy that lets the account decide, and has these statements."""
    account = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [account | {"Resource": "*"}, *statements]})


def make_storage() -> str:
    """Configure the bucket as the template does, with a key of its own, and return the key's ARN."""
    arn: str = client("kms").create_key(Policy=key_policy(ALARMS))["KeyMetadata"]["Arn"]
    encrypt_bucket(arn)
    block = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3 = client("s3")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(block, True))  # type: ignore[arg-type]
    set_lifecycle(
        {"ID": "Exports", "Filter": {"Prefix": "exports/"}, "Expiration": {"Days": 365}},
        {"ID": "Uploads", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    )
    return arn


def encrypt_bucket(key: str | None, bucket_key: bool = True) -> None:
    """Set the bucket's default encryption; None: with S3's own keys."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key}
    client("s3").put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})


def set_lifecycle(*rules: dict[str, Any]) -> None:
    """Set the bucket's lifecycle rules."""
    enabled = [{"Status": "Enabled"} | rule for rule in rules]
    client("s3").put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": enabled})


def checks(result: Any) -> dict[str, dict[str, str]]:
    """Return the findings by check."""
    return {each["check"]: each for each in result.json["checks"]}


def must_fail(run: Any, check: str, detail: str, fix: str) -> dict[str, str]:
    """Run `doctor`, see that this check fails with detail and fix, and return its finding."""
    result = run("doctor", "--json")
    found = checks(result)[check]
    assert (result.code, found["verdict"]) == (1, "fail")
    assert detail in found["detail"]
    assert fix in found["fix"]
    return found
