"""Networks and environments for the tests of Prepare Connection."""

from ipaddress import IPv4Network

from prepare_connection.mwaa_environment import MwaaEnvironment
from prepare_connection.network import Endpoint, Network, RouteTable, Subnet
from prepare_connection.security_groups import Rule, SecurityGroup

REGION = "eu-central-1"
ENVIRONMENT = MwaaEnvironment("prod", "AVAILABLE", "3.0.6", ("subnet-a", "subnet-b"), ("sg-1",))
EVERYWHERE = "0.0.0.0/0"
BLOCKS = {"subnet-a": "10.0.0.0/24", "subnet-b": "10.0.1.0/24"}
S3_LIST = "pl-s3"


def rule(*peers: str, ports: tuple[int, int] = (0, 65535)) -> Rule:
    """Return a rule for ports, with groups (sg-), prefix lists (pl-) and blocks of addresses."""
    return Rule(
        *ports,
        groups=frozenset(peer for peer in peers if peer.startswith("sg-")),
        blocks=tuple(IPv4Network(peer) for peer in peers if "/" in peer),
        prefix_lists=frozenset(peer for peer in peers if peer.startswith("pl-")),
    )


def https(*peers: str) -> Rule:
    """Return a rule for port 443."""
    return rule(*peers, ports=(443, 443))


def group(group_id: str, inbound: tuple[Rule, ...] | None = None, outbound: tuple[Rule, ...] | None = None):
    """Return a security group; as Amazon's quick start makes it, unless told otherwise."""
    return SecurityGroup(
        group_id,
        (rule(group_id),) if inbound is None else inbound,
        (rule(EVERYWHERE),) if outbound is None else outbound,
    )


def endpoint(service: str, *groups: SecurityGroup, fault: str = "") -> Endpoint:
    """Return an interface endpoint, with the environment's own group unless told otherwise."""
    name = f"com.amazonaws.{REGION}.{service}"
    return Endpoint(f"vpce-{service}", name, is_gateway=False, groups=groups or (group("sg-1"),), fault=fault)


S3_GATEWAY = Endpoint("vpce-gateway", f"com.amazonaws.{REGION}.s3", is_gateway=True, route_table_ids=("rtb-main",))
PRIVATE_ENDPOINTS = tuple(endpoint(name) for name in ("secretsmanager", "glue"))


def network(**changes) -> Network:
    """Return a network that works through a NAT gateway, with changes."""
    parts = {
        "region": REGION,
        "subnets": (subnet("subnet-a"), subnet("subnet-b")),
        "security_groups": (group("sg-1"),),
        "route_tables": (RouteTable("rtb-main", is_main=True, subnet_ids=(), has_egress=True),),
        "endpoints": (),
    }
    return Network(**{**parts, **changes})


def private(**changes) -> Network:
    """Return a network that works through endpoints only, with changes."""
    parts = {"route_tables": (without_egress(),), "endpoints": (S3_GATEWAY, *PRIVATE_ENDPOINTS)}
    return network(**{**parts, **changes})


def subnet(subnet_id: str, free: int = 200, zone: str = f"{REGION}a") -> Subnet:
    """Return a subnet."""
    return Subnet(subnet_id, "vpc-1", zone, free, IPv4Network(BLOCKS[subnet_id]))


def without_egress(*subnet_ids: str, is_main: bool = True, has_neighbours: bool = False) -> RouteTable:
    """Return a route table that leads nowhere but to the S3 gateway endpoint."""
    table_id = "rtb-main" if is_main else "rtb-own"
    return RouteTable(table_id, is_main, subnet_ids, False, has_neighbours, frozenset({S3_LIST}))
