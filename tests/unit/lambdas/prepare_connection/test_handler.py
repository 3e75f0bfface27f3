"""Entry point of Prepare Connection."""

import json

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from prepare_connection import handler as entry
from prepare_connection.errors import ConnectionImpossibleError

from tests.unit.lambdas.plan_export.cases import draft
from tests.unit.lambdas.prepare_connection.test_database_secret import SECRET
from tests.unit.lambdas.prepare_connection.test_network import SELF, nat_gateway, rule
from tests.unit.template.definitions import variables

EVENT = {"export": json.loads(json.dumps(draft()[0].to_json()))}


@pytest.fixture
def world(aws, monkeypatch):
    """Build a secret and a network that work; return the security group's id."""
    own = {"SECRET_ARN": "prod-metadata-export/database"}
    for name, value in {**variables("PrepareConnectionFunction"), **own}.items():
        monkeypatch.setenv(name, value)
    clients.secrets_manager().create_secret(Name="prod-metadata-export/database", SecretString=json.dumps(SECRET))
    ec2 = clients.ec2()
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)
    ]
    group = ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(
        RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", **nat_gateway(ec2, subnets[0])
    )
    mwaa = clients.mwaa()
    environment = {
        "Status": "AVAILABLE",
        "AirflowVersion": "3.0.6",
        "NetworkConfiguration": {"SubnetIds": subnets, "SecurityGroupIds": [group]},
    }
    with Stubber(mwaa) as stub:
        stub.add_response("get_environment", {"Environment": environment}, {"Name": "prod"})
        monkeypatch.setattr(clients, "mwaa", lambda: mwaa)
        yield group


def open_to_itself(group: str) -> None:
    """Let the security group in."""
    clients.ec2().authorize_security_group_ingress(GroupId=group, IpPermissions=[rule(group, "tcp", SELF, 0, 65535)])


def test_given_everything_works_then_the_connection_is_created(world, context, log_lines):
    open_to_itself(world)
    lines = log_lines(entry.logger)
    assert entry.handler(EVENT, context) == {
        "connection_name": "prod-metadata-export",
        "database_name": "AirflowMetadata",
        "airflow_version": "3.0.6",
        "action": "created",
        "fernet_key_version": None,
    }
    stored = clients.glue().get_connection(Name="prod-metadata-export")["Connection"]
    assert stored["PhysicalConnectionRequirements"]["SecurityGroupIdList"] == [world]
    assert [(line["message"], line["export_id"]) for line in lines()] == [("prepared", "20261211T143022Z")]


def test_given_a_kept_fernet_key_then_its_version_is_told(world, context):
    open_to_itself(world)
    known = json.dumps(SECRET | {"fernet_key_version": "ab" * 16})
    clients.secrets_manager().put_secret_value(SecretId="prod-metadata-export/database", SecretString=known)
    assert entry.handler(EVENT, context)["fernet_key_version"] == "ab" * 16


def test_given_the_network_cannot_work_then_nothing_is_created_and_no_password_is_logged(world, context, log_lines):
    lines = log_lines(entry.logger)
    with pytest.raises(ConnectionImpossibleError, match="lets itself in"):
        entry.handler(EVENT, context)
    assert clients.glue().get_connections()["ConnectionList"] == []
    assert [line["error"] for line in lines()] == ["ConnectionImpossibleError"]
    assert SECRET["password"] not in json.dumps(lines())
