"""What is in an AWS account before this project's stack is deployed: a private network and an MWAA environment in it.

AWS documented: the network of the MWAA quick start has private subnets, one self-referencing security group.
https://docs.aws.amazon.com/mwaa/latest/userguide/vpc-create.html

With VPC endpoints for what a Glue run calls.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ZONES = ("a", "b")
PRIVATE_SERVICES = ("secretsmanager", "glue", "states", "logs")

ClientFactory = Callable[[str], Any]


@dataclass(frozen=True)
class MwaaAccount:
    """The environment and what it stands on.

    Args:
        environment: its name.
        bucket: where its DAGs are.
        execution_role: name of the role that its workers have.
        vpc: id.
        subnets: ids, one in each of two zones.
        security_group: id of the group that lets itself in.
        route_table: id of the subnets' table, which has an S3 gateway endpoint.
    """

    environment: str
    bucket: str
    execution_role: str
    vpc: str
    subnets: tuple[str, str]
    security_group: str
    route_table: str


def create_mwaa_environment(client: ClientFactory, name: str, airflow_version: str) -> MwaaAccount:
    """Make a network, a bucket, an execution role and an MWAA environment.

    Args:
        client: makes a boto3 client for a service.
        name: of the environment.
        airflow_version: such as `2.10.3`.
    """
    vpc, subnets, group, table = _create_network(client("ec2"))
    bucket = f"{name.lower().replace('_', '-')}-mwaa"
    _create_bucket(client, bucket)
    role = f"{name}-mwaa-execution"
    role_arn = client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=_trust())["Role"]["Arn"]
    client("mwaa").create_environment(
        Name=name,
        AirflowVersion=airflow_version,
        DagS3Path="dags",
        ExecutionRoleArn=role_arn,
        SourceBucketArn=f"arn:aws:s3:::{bucket}",
        NetworkConfiguration={"SubnetIds": list(subnets), "SecurityGroupIds": [group]},
    )
    return MwaaAccount(name, bucket, role, vpc, subnets, group, table)


def _create_bucket(client: ClientFactory, bucket: str) -> None:
    """Make a bucket that is encrypted with a key of its own, as security departments ask for."""
    key = client("kms").create_key(Description="The DAGs")["KeyMetadata"]["KeyId"]
    client("s3").create_bucket(Bucket=bucket)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
    client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _create_network(ec2: Any) -> tuple[str, tuple[str, str], str, str]:
    region = ec2.meta.region_name
    vpc = ec2.create_vpc(CidrBlock="10.192.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    first, second = (_create_subnet(ec2, vpc, table, number, f"{region}{zone}") for number, zone in enumerate(ZONES))
    group = _create_security_group(ec2, vpc)
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{region}.s3", VpcEndpointType="Gateway", RouteTableIds=[table]
    )
    for service in PRIVATE_SERVICES:
        ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{region}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=[first, second],
            SecurityGroupIds=[group],
            PrivateDnsEnabled=True,
        )
    return vpc, (first, second), group, table


def _create_subnet(ec2: Any, vpc: str, table: str, number: int, zone: str) -> str:
    block = f"10.192.{20 + number}.0/24"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return str(subnet)


def _create_security_group(ec2: Any, vpc: str) -> str:
    description = "The MWAA environment, and whatever works for it"
    group = ec2.create_security_group(GroupName="mwaa", Description=description, VpcId=vpc)["GroupId"]
    itself = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])
    return str(group)


def _trust() -> str:
    principal = {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
