"""The account before the deployment: an MWAA environment in a private network in which Glue can work."""

import json

from local.aws.account import create_mwaa_environment
from tests.emulated_account import EVERYTHING, Account


def test_given_account_when_environment_is_read_then_it_has_a_network(account: Account) -> None:
    made = create_mwaa_environment(account.client, "read-environment", "2.10.3")

    environment = account.client("mwaa").get_environment(Name="read-environment")["Environment"]

    assert (environment["Status"], environment["AirflowVersion"]) == ("AVAILABLE", "2.10.3")
    network = environment["NetworkConfiguration"]
    assert tuple(network["SubnetIds"]) == made.subnets
    assert network["SecurityGroupIds"] == [made.security_group]
    filters = [{"Name": "vpc-id", "Values": [made.vpc]}]
    endpoints = account.client("ec2").describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    private = {endpoint["ServiceName"] for endpoint in endpoints if endpoint.get("PrivateDnsEnabled")}
    assert private == {f"com.amazonaws.us-east-1.{name}" for name in ("secretsmanager", "glue", "states", "logs")}
    [gateway] = [endpoint for endpoint in endpoints if endpoint["VpcEndpointType"] == "Gateway"]
    assert (gateway["ServiceName"], gateway["RouteTableIds"]) == ("com.amazonaws.us-east-1.s3", [made.route_table])


def test_given_connection_in_the_network_when_job_runs_then_it_has_an_interface_there(account: Account) -> None:
    made = create_mwaa_environment(account.client, "interface", "2.10.3")
    _connect(account, "interface", made.subnets[0], made.security_group)
    script = (
        "import boto3\n"
        "found = boto3.client('ec2', 'us-east-1').describe_network_interfaces()['NetworkInterfaces']\n"
        f"there = [one for one in found if one['SubnetId'] == '{made.subnets[0]}']\n"
        "print([(one['SubnetId'], one['TagSet'][0]['Key']) for one in there])"
    )

    run = account.run_job(account.job(script, Connections={"Connections": ["interface"]}))

    assert (run["JobRunState"], run.get("ErrorMessage")) == ("SUCCEEDED", None)
    seen = (account.aws.settings.glue_logs / f"{run['Id']}.output.log").read_text()
    assert seen == f"[('{made.subnets[0]}', 'aws-glue-service-resource')]\n"
    left = account.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert [one for one in left if one["SubnetId"] == made.subnets[0]] == []


def test_given_subnet_without_way_to_s3_when_job_runs_then_failed(account: Account) -> None:
    made, ec2 = create_mwaa_environment(account.client, "no-s3", "2.10.3"), account.client("ec2")
    table = ec2.create_route_table(VpcId=made.vpc)["RouteTable"]["RouteTableId"]
    subnet = ec2.create_subnet(VpcId=made.vpc, CidrBlock="10.192.40.0/24")["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    _connect(account, "no-s3", subnet, made.security_group)

    run = account.run_job(account.job("print('never')", Connections={"Connections": ["no-s3"]}))

    assert "VPC S3 endpoint validation failed" in run["ErrorMessage"]


def test_given_role_that_may_not_make_interfaces_when_job_runs_then_failed(account: Account) -> None:
    made = create_mwaa_environment(account.client, "no-interface", "2.10.3")
    _connect(account, "no-interface", made.subnets[0], made.security_group)
    deny = {"Effect": "Deny", "Action": "ec2:CreateNetworkInterface", "Resource": "*"}

    run = account.run_job(
        account.job(
            "print('never')", account.role("glue", EVERYTHING, deny), Connections={"Connections": ["no-interface"]}
        )
    )

    assert run["ErrorMessage"].startswith("Error Category: PERMISSION_ERROR")
    assert "CreateNetworkInterface" in run["ErrorMessage"]


def test_given_role_with_the_connection_but_not_the_catalog_when_connection_is_read_then_refused(
    account: Account,
) -> None:
    _connect(account, "catalog", "", "")
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    return boto3.client('glue').get_connection(Name='catalog')['Connection']['Name']\n"
    )
    connection = {**EVERYTHING, "Resource": "arn:aws:glue:*:*:connection/catalog"}
    catalog = {**EVERYTHING, "Resource": "arn:aws:glue:*:*:catalog"}

    def read(*statements: dict[str, str]) -> str:
        function = account.function(code, account.role("lambda", *statements))
        answer = account.client("lambda").invoke(FunctionName=function)
        return str(json.load(answer["Payload"]))

    assert read(connection, catalog) == "catalog"
    assert "AccessDenied" in read(connection)
    assert "AccessDenied" in read(catalog)


def _connect(account: Account, name: str, subnet: str, group: str) -> None:
    place = {"SubnetId": subnet, "SecurityGroupIdList": [group], "AvailabilityZone": "us-east-1a"} if subnet else {}
    connection = {"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": {"SECRET_ID": name}}
    account.client("glue").create_connection(ConnectionInput={**connection, "PhysicalConnectionRequirements": place})
