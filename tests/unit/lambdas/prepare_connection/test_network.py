"""The network, read from EC2."""

from ipaddress import IPv4Network

import pytest
from export_runtime import clients
from export_runtime.errors import AwsCallError
from prepare_connection.network import _fault, _route_table, _subnet, read_network

SELF = "itself"
PREFIX = "com.amazonaws.eu-central-1"


@pytest.fixture
def ec2(aws):
    """Give an EC2 client."""
    return clients.ec2()


@pytest.fixture
def vpc(ec2) -> str:
    """Give an empty VPC."""
    return ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def subnet_id(ec2, vpc) -> str:
    """Give a subnet of it."""
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="eu-central-1b")["Subnet"]["SubnetId"]


@pytest.fixture
def group_id(ec2, vpc) -> str:
    """Give a security group of it."""
    return ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]


def rule(group_id: str, protocol: str, source: str, *ports: int) -> dict:
    """Return an inbound rule."""
    found: dict = {"IpProtocol": protocol}
    if ports:
        found["FromPort"], found["ToPort"] = ports
    if source == SELF:
        found["UserIdGroupPairs"] = [{"GroupId": group_id}]
    else:
        found["IpRanges"] = [{"CidrIp": source}]
    return found


def test_given_a_subnet_then_its_place_and_free_addresses_are_known(ec2, vpc, subnet_id, group_id):
    network = read_network(ec2, [subnet_id], [group_id])
    (found,) = network.subnets
    assert (found.id, found.vpc_id, found.zone, found.free_addresses) == (subnet_id, vpc, "eu-central-1b", 251)
    assert network.region == "eu-central-1"
    assert not found.is_shared


def test_given_a_subnet_of_another_account_then_it_is_shared():
    found = {"SubnetId": "s", "VpcId": "v", "AvailabilityZone": "z", "AvailableIpAddressCount": 9}
    found |= {"CidrBlock": "10.0.0.0/24", "OwnerId": "222222222222"}
    assert _subnet(found, {"111111111111"}).is_shared
    assert not _subnet(found, {"222222222222"}).is_shared


@pytest.mark.parametrize(
    ("protocol", "source", "ports", "is_open"),
    [
        ("tcp", SELF, (0, 65535), True),
        ("-1", SELF, (), True),
        ("tcp", "0.0.0.0/0", (0, 65535), True),
        ("tcp", SELF, (5432, 5432), False),
        ("udp", SELF, (0, 65535), False),
        ("tcp", "10.0.0.0/8", (0, 65535), False),
    ],
)
def test_given_an_inbound_rule_then_only_all_tcp_from_itself_or_from_all_counts(
    ec2, subnet_id, group_id, protocol, source, ports, is_open
):
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[rule(group_id, protocol, source, *ports)])
    (group,) = read_network(ec2, [subnet_id], [group_id]).security_groups
    assert group.lets_itself_in is is_open


def test_given_another_group_as_source_then_the_group_is_not_open_to_itself(ec2, vpc, subnet_id, group_id):
    other = ec2.create_security_group(GroupName="y", Description="y", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[rule(other, "tcp", SELF, 0, 65535)])
    assert not read_network(ec2, [subnet_id], [group_id]).security_groups[0].lets_itself_in


def nat_gateway(ec2, subnet_id: str) -> dict:
    """Return a route through a NAT gateway."""
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    return {
        "NatGatewayId": ec2.create_nat_gateway(SubnetId=subnet_id, AllocationId=address)["NatGateway"]["NatGatewayId"]
    }


def internet_gateway(ec2, vpc: str) -> dict:
    """Return a route through an internet gateway."""
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return {"GatewayId": gateway}


def test_given_a_default_route_to_a_nat_gateway_then_there_is_a_way_out(ec2, vpc, subnet_id, group_id):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **nat_gateway(ec2, subnet_id))
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet_id)
    tables = {found.id: found for found in read_network(ec2, [subnet_id], [group_id]).route_tables}
    assert tables[table].has_egress
    assert tables[table].subnet_ids == (subnet_id,)
    (main,) = [found for found in tables.values() if found.is_main]
    assert not main.has_egress


def test_given_a_default_route_to_an_internet_gateway_then_there_is_none_without_public_address(
    ec2, vpc, subnet_id, group_id
):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **internet_gateway(ec2, vpc))
    tables = {found.id: found for found in read_network(ec2, [subnet_id], [group_id]).route_tables}
    assert not tables[table].has_egress


def test_given_a_route_to_another_network_then_it_may_hold_what_this_one_lacks(ec2, vpc, subnet_id, group_id):
    (table,) = read_network(ec2, [subnet_id], [group_id]).route_tables
    assert not table.has_neighbours
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]
    peering_id = peering["VpcPeeringConnectionId"]
    ec2.create_route(RouteTableId=table.id, DestinationCidrBlock="10.1.0.0/16", VpcPeeringConnectionId=peering_id)
    (table,) = read_network(ec2, [subnet_id], [group_id]).route_tables
    assert table.has_neighbours
    assert not table.has_egress


def test_given_a_gateway_endpoint_then_its_route_tables_are_known(ec2, vpc, subnet_id, group_id):
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"{PREFIX}.s3", VpcEndpointType="Gateway", RouteTableIds=[table])
    (endpoint,) = read_network(ec2, [subnet_id], [group_id]).endpoints
    assert (endpoint.service, endpoint.is_gateway, endpoint.route_table_ids) == (f"{PREFIX}.s3", True, (table,))
    assert endpoint.fault == ""


@pytest.mark.parametrize(("private_dns", "fault"), [(True, ""), (False, "has private DNS off: turn it on")])
def test_given_an_interface_endpoint_then_its_groups_are_known_and_whether_it_is_used(
    ec2, vpc, subnet_id, group_id, private_dns, fault
):
    theirs = ec2.create_security_group(GroupName="endpoints", Description="x", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=theirs, IpPermissions=[rule(group_id, "tcp", SELF, 443, 443)])
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"{PREFIX}.glue",
        VpcEndpointType="Interface",
        SubnetIds=[subnet_id],
        SecurityGroupIds=[theirs],
        PrivateDnsEnabled=private_dns,
    )
    (endpoint,) = read_network(ec2, [subnet_id], [group_id]).endpoints
    assert endpoint.fault == fault
    assert [group.id for group in endpoint.groups] == [theirs]
    assert [(found.first, found.last, found.groups) for found in endpoint.groups[0].inbound] == [
        (443, 443, frozenset({group_id}))
    ]


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ({"State": "pendingAcceptance"}, "is pendingacceptance: wait"),
        ({"State": "Available", "VpcEndpointType": "Gateway"}, ""),
        ({}, "is unknown"),
    ],
    ids=["not accepted", "gateway in capitals", "no state"],
)
def test_given_an_endpoint_that_is_not_in_service_then_it_is_said(found, fault):
    assert _fault(found).startswith(fault)
    assert bool(_fault(found)) is bool(fault)


def test_given_outbound_rules_then_blocks_and_prefix_lists_are_known(ec2, subnet_id, group_id):
    ec2.authorize_security_group_egress(
        GroupId=group_id,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": "pl-1"}]}
        ],
    )
    (group,) = read_network(ec2, [subnet_id], [group_id]).security_groups
    everywhere, to_list = group.outbound
    assert (everywhere.blocks, everywhere.covers(443), everywhere.has_public_addresses) == (
        (IPv4Network("0.0.0.0/0"),),
        True,
        True,
    )
    assert (to_list.prefix_lists, to_list.covers(5432)) == (frozenset({"pl-1"}), False)


def test_given_a_route_of_a_gateway_endpoint_then_its_prefix_list_is_known():
    routes = [
        {"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-1", "State": "active"},
        {"DestinationPrefixListId": "pl-mine", "TransitGatewayId": "tgw-1", "State": "active"},
        {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-gone", "State": "blackhole"},
    ]
    table = _route_table({"RouteTableId": "rtb-1", "Routes": routes})
    assert (table.gateway_prefix_lists, table.has_egress, table.has_neighbours) == (frozenset({"pl-s3"}), False, True)


def test_given_a_subnet_that_does_not_exist_then_the_error_names_it(ec2, group_id):
    with pytest.raises(AwsCallError, match="subnet-0123456789abcdef0"):
        read_network(ec2, ["subnet-0123456789abcdef0"], [group_id])
