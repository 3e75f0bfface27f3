"""The network around an MWAA environment, read from EC2 and reduced to what the rules need."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from export_runtime.aws import aws_call

from prepare_connection.security_groups import SecurityGroup, security_group

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef

_ADVICE = "Check that the subnets and security groups exist and that the function's role allows the describe calls."
# Next hops that lead out of the VPC from an interface without a public address. An internet gateway does not.
# AWS documented: Glue makes interfaces with private addresses only. https://docs.aws.amazon.com/glue/latest/dg/start-connecting.html
_NEXT_HOPS = ("NatGatewayId", "NetworkInterfaceId", "InstanceId", "TransitGatewayId", "CoreNetworkArn")


@dataclass(frozen=True)
class Subnet:
    """A subnet of the environment. ``is_shared``: by another account, whose endpoints cannot be seen."""

    id: str
    vpc_id: str
    zone: str
    free_addresses: int
    block: IPv4Network
    is_shared: bool = False


@dataclass(frozen=True)
class RouteTable:
    """A route table of the VPC.

    ``has_egress``: a default route that works without a public address. ``has_neighbours``: a route to other networks,
    which may hold what this VPC lacks. ``gateway_prefix_lists``: prefix lists that lead to gateway endpoints.
    """

    id: str
    is_main: bool
    subnet_ids: tuple[str, ...]
    has_egress: bool
    has_neighbours: bool = False
    gateway_prefix_lists: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Endpoint:
    """A VPC endpoint.

    ``fault``: why nothing in the VPC uses it, empty when it is in use. ``groups``: security groups of an interface
    endpoint, as far as they could be read.
    """

    id: str
    service: str
    is_gateway: bool
    route_table_ids: tuple[str, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class Network:
    """Everything that the rules look at."""

    region: str
    subnets: tuple[Subnet, ...]
    security_groups: tuple[SecurityGroup, ...]
    route_tables: tuple[RouteTable, ...]
    endpoints: tuple[Endpoint, ...]


def read_network(client: "EC2Client", subnet_ids: Iterable[str], security_group_ids: Iterable[str]) -> Network:
    """Return the network of these subnets (of one VPC) and security groups.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    subnet_list, group_list = list(subnet_ids), list(security_group_ids)
    with aws_call(f"look at subnets {', '.join(subnet_list)} and security groups {', '.join(group_list)}", _ADVICE):
        subnets = client.describe_subnets(SubnetIds=subnet_list)["Subnets"]
        groups = client.describe_security_groups(GroupIds=group_list)["SecurityGroups"]
        vpc: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": sorted({subnet["VpcId"] for subnet in subnets})}]
        tables = client.get_paginator("describe_route_tables").paginate(Filters=vpc).build_full_result()
        endpoints = client.get_paginator("describe_vpc_endpoints").paginate(Filters=vpc).build_full_result()
        others = _endpoint_groups(client, endpoints["VpcEndpoints"])
    account = {found.get("OwnerId") for found in groups}
    known = {found["GroupId"]: security_group(found) for found in (*others, *groups)}
    return Network(
        region=client.meta.region_name,
        subnets=tuple(_subnet(found, account) for found in subnets),
        security_groups=tuple(known[found["GroupId"]] for found in groups),
        route_tables=tuple(_route_table(found) for found in tables["RouteTables"]),
        endpoints=tuple(_endpoint(found, known) for found in endpoints["VpcEndpoints"]),
    )


def _endpoint_groups(client: "EC2Client", endpoints: Iterable[Any]) -> list[Any]:
    ids = {group["GroupId"] for endpoint in endpoints for group in endpoint.get("Groups", [])}
    if not ids:
        return []
    # By filter: asking by id for one that cannot be seen (another account's) is an error.
    pages = client.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "group-id", "Values": sorted(ids)}]
    )
    return list(pages.build_full_result()["SecurityGroups"])


def _subnet(found: Any, account: Collection[str | None]) -> Subnet:
    return Subnet(
        id=found["SubnetId"],
        vpc_id=found["VpcId"],
        zone=found["AvailabilityZone"],
        free_addresses=found["AvailableIpAddressCount"],
        block=IPv4Network(found["CidrBlock"]),
        is_shared=found.get("OwnerId") not in account,
    )


def _route_table(found: Any) -> RouteTable:
    associations = found.get("Associations", [])
    routes = [route for route in found.get("Routes", []) if route.get("State") != "blackhole"]
    return RouteTable(
        id=found["RouteTableId"],
        is_main=any(association.get("Main") for association in associations),
        subnet_ids=tuple(association["SubnetId"] for association in associations if "SubnetId" in association),
        has_egress=any(_leaves_vpc(route) for route in routes if route.get("DestinationCidrBlock") == "0.0.0.0/0"),
        has_neighbours=any(_leaves_vpc(route) or route.get("VpcPeeringConnectionId") for route in routes),
        gateway_prefix_lists=frozenset(
            route["DestinationPrefixListId"]
            for route in routes
            if "DestinationPrefixListId" in route and str(route.get("GatewayId", "")).startswith("vpce-")
        ),
    )


def _leaves_vpc(route: Any) -> bool:
    # A virtual private gateway (vgw-) is an exit through the company's own network.
    return any(route.get(hop) for hop in _NEXT_HOPS) or str(route.get("GatewayId", "")).startswith("vgw-")


def _endpoint(found: Any, groups: Mapping[str, SecurityGroup]) -> Endpoint:
    ids = [group["GroupId"] for group in found.get("Groups", [])]
    return Endpoint(
        id=found["VpcEndpointId"],
        service=found["ServiceName"],
        is_gateway=found.get("VpcEndpointType") == "Gateway",
        route_table_ids=tuple(found.get("RouteTableIds", ())),
        groups=tuple(groups[group_id] for group_id in ids if group_id in groups),
        fault=_fault(found),
    )


def _fault(found: Any) -> str:
    state = str(found.get("State", "unknown")).lower()
    if state != "available":
        return f"is {state}: wait, or make it anew"
    if found.get("VpcEndpointType") != "Gateway" and not found.get("PrivateDnsEnabled"):
        return "has private DNS off: turn it on"
    return ""
