"""What security groups let through on TCP. Pure: the rules of EC2, reduced to ports and who is on the other side.

AWS documented: what a rule of a security group allows, and to whom.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

HTTPS = 443
_ALL_PORTS = (0, 65535)
# Addresses that no service of AWS has (RFC 1918, RFC 6598).
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


@dataclass(frozen=True)
class Rule:
    """Ports ``first`` to ``last``, open to (or towards) groups, blocks of IPv4 addresses, and prefix lists, by id."""

    first: int
    last: int
    groups: frozenset[str]
    blocks: tuple[IPv4Network, ...]
    prefix_lists: frozenset[str]

    def covers(self, port: int) -> bool:
        """Say whether a port is in it."""
        return self.first <= port <= self.last

    @property
    def covers_all(self) -> bool:
        """Whether Glue takes it for all ports (0 is none)."""
        return self.first <= 1 and self.last == _ALL_PORTS[1]

    def contains(self, block: IPv4Network) -> bool:
        """Say whether all addresses of a block are in it."""
        return any(block.subnet_of(found) for found in self.blocks)

    @property
    def has_public_addresses(self) -> bool:
        """Whether a block has addresses outside of private networks."""
        return any(not any(block.subnet_of(private) for private in _PRIVATE) for block in self.blocks)


@dataclass(frozen=True)
class SecurityGroup:
    """A security group and its rules on TCP."""

    id: str
    inbound: tuple[Rule, ...]
    outbound: tuple[Rule, ...]

    @property
    def lets_itself_in(self) -> bool:
        """Whether it has the rule that Glue demands: all TCP ports from the group itself, or from everywhere."""
        return any(rule.covers_all and (self.id in rule.groups or rule.contains(_ANYWHERE)) for rule in self.inbound)


_ANYWHERE = IPv4Network("0.0.0.0/0")


def security_group(found: Any) -> SecurityGroup:
    """Return a group as ``ec2:DescribeSecurityGroups`` describes it."""
    inbound, outbound = found.get("IpPermissions", []), found.get("IpPermissionsEgress", [])
    return SecurityGroup(found["GroupId"], tuple(_tcp_rules(inbound)), tuple(_tcp_rules(outbound)))


def outbound(groups: Iterable[SecurityGroup], port: int) -> list[Rule]:
    """Return the outbound rules for a port of an interface that has all these groups: their rules add up."""
    return [rule for group in groups for rule in group.outbound if rule.covers(port)]


def inbound(groups: Iterable[SecurityGroup], port: int) -> list[Rule]:
    """Return the inbound rules for a port of an interface that has all these groups."""
    return [rule for group in groups for rule in group.inbound if rule.covers(port)]


def _tcp_rules(permissions: Iterable[Any]) -> Iterator[Rule]:
    for found in permissions:
        protocol = found["IpProtocol"]
        if protocol not in ("-1", "tcp", "6"):
            continue
        first, last = _ALL_PORTS if protocol == "-1" else (found.get("FromPort", 0), found.get("ToPort", 65535))
        yield Rule(
            first,
            last,
            groups=frozenset(pair["GroupId"] for pair in found.get("UserIdGroupPairs", []) if "GroupId" in pair),
            blocks=tuple(IPv4Network(block["CidrIp"], strict=False) for block in found.get("IpRanges", [])),
            prefix_lists=frozenset(listed["PrefixListId"] for listed in found.get("PrefixListIds", [])),
        )
