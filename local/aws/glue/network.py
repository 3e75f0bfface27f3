"""The network of a job run: for each connection with a subnet, what Glue looks up, demands and makes there.

AWS documented: what Glue demands of a network: a security group that lets itself in, DNS support, a way to S3.
https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html

AWS assumed: which calls Glue makes for its network interface, in which order, and the words of its refusals.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from local.aws.glue.failure import LaunchError

TAG = {"Key": "aws-glue-service-resource", "Value": "service-role"}
NEXT_HOPS = ("NatGatewayId", "NetworkInterfaceId", "InstanceId", "TransitGatewayId")

Client = Callable[[str], Any]


@contextmanager
def attached(client: Client, job: Mapping[str, Any]) -> Iterator[None]:
    """Keep a network interface in the subnet of each of the job's connections, with the job role's permissions.

    Raises:
        LaunchError: a connection is missing, its network cannot work, or the role may not do this.
    """
    interfaces: list[str] = []
    try:
        for name in (job.get("Connections") or {}).get("Connections") or []:
            interfaces += _attach(client, name)
        yield
    finally:
        for interface in interfaces:
            client("ec2").delete_network_interface(NetworkInterfaceId=interface)


def _attach(client: Client, name: str) -> list[str]:
    try:
        connection = client("glue").get_connection(Name=name)["Connection"]
        place = connection.get("PhysicalConnectionRequirements") or {}
        if not place.get("SubnetId"):
            return []
        _check_network(client("ec2"), place)
        return [_create_interface(client("ec2"), place)]
    except ClientError as error:
        missing = "NotFound" in error.response["Error"]["Code"]
        category = "RESOURCE_NOT_FOUND_ERROR" if missing else "PERMISSION_ERROR"
        raise LaunchError(category, f"Connection {name}: {error}") from error


def _check_network(ec2: Any, place: Mapping[str, Any]) -> None:
    subnet = ec2.describe_subnets(SubnetIds=[place["SubnetId"]])["Subnets"][0]
    vpc = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    if not ec2.describe_vpc_attribute(VpcId=subnet["VpcId"], Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]:
        raise LaunchError("INVALID_ARGUMENT_ERROR", f"DNS support is off in {subnet['VpcId']}")
    groups = ec2.describe_security_groups(GroupIds=place.get("SecurityGroupIdList", []))["SecurityGroups"]
    if not any(_lets_itself_in(group) for group in groups):
        raise LaunchError("INVALID_ARGUMENT_ERROR", "At least one security group must open all ingress ports")
    tables = ec2.describe_route_tables(Filters=vpc)["RouteTables"]
    endpoints = ec2.describe_vpc_endpoints(Filters=vpc)["VpcEndpoints"]
    if not _reaches_s3(subnet["SubnetId"], tables, endpoints):
        reason = (
            f"Could not find S3 endpoint or NAT gateway for subnetId: {subnet['SubnetId']} in Vpc {subnet['VpcId']}"
        )
        raise LaunchError("INVALID_ARGUMENT_ERROR", f"VPC S3 endpoint validation failed. Reason: {reason}")


def _lets_itself_in(group: Mapping[str, Any]) -> bool:
    for rule in group["IpPermissions"]:
        all_ports = rule["IpProtocol"] == "-1" or (rule.get("FromPort", 0) <= 1 and rule.get("ToPort", 65535) == 65535)
        if all_ports and any(pair.get("GroupId") == group["GroupId"] for pair in rule.get("UserIdGroupPairs", [])):
            return True
    return False


def _reaches_s3(subnet: str, tables: list[Any], endpoints: list[Any]) -> bool:
    own = [table for table in tables if any(found.get("SubnetId") == subnet for found in table["Associations"])]
    main = [table for table in tables if any(found.get("Main") for found in table["Associations"])]
    table = (own or main)[0]
    for endpoint in endpoints:
        gateway = endpoint["VpcEndpointType"] == "Gateway"
        if endpoint["ServiceName"].endswith(".s3") and (
            not gateway or table["RouteTableId"] in endpoint["RouteTableIds"]
        ):
            return True
    routes = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    return any(route.get(hop) for route in routes for hop in NEXT_HOPS)


def _create_interface(ec2: Any, place: Mapping[str, Any]) -> str:
    request = {"SubnetId": place["SubnetId"], "Groups": place["SecurityGroupIdList"]}
    interface = str(ec2.create_network_interface(**request)["NetworkInterface"]["NetworkInterfaceId"])
    try:
        ec2.create_tags(Resources=[interface], Tags=[TAG])
        ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])  # until it is attached
    except ClientError:
        ec2.delete_network_interface(NetworkInterfaceId=interface)
        raise
    return interface
