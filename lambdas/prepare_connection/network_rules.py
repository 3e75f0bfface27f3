"""Can Glue work in this network? Rules without AWS calls; every problem comes with its fix.

A rule refuses what certainly cannot work: where EC2 does not tell (what a prefix list holds, what lies behind another
network), the run may try.

AWS assumed: a Glue run in a private network needs no way to the services that it does not call itself (KMS, STS,
CloudWatch Logs), so none is demanded.

AWS documented: Glue needs a security group that lets itself in, DNS support, a way to S3 and enough free addresses.
https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html
https://repost.aws/knowledge-center/glue-test-connection-failed
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prepare_connection.network import Endpoint, Network, RouteTable, Subnet
from prepare_connection.security_groups import HTTPS, Rule, inbound, outbound

# Services that a Glue run calls; S3 has rules of its own.
_SERVICES = ("secretsmanager", "glue")


@dataclass(frozen=True)
class NetworkVerdict:
    """The subnets in which Glue can work, best first, and what is wrong with the network and with other subnets."""

    subnets: tuple[Subnet, ...]
    problems: tuple[str, ...]
    subnet_problems: Mapping[str, tuple[str, ...]]


def judge(network: Network, needed_addresses: int, database_port: int | None = None) -> NetworkVerdict:
    """Return in which subnets Glue can work.

    Args:
        network: of the MWAA environment.
        needed_addresses: free addresses that all Glue workers of an export need together.
        database_port: None when the secret does not tell.
    """
    wrong = {subnet.id: tuple(_subnet_problems(subnet, network, needed_addresses)) for subnet in network.subnets}
    working = [subnet for subnet in network.subnets if not wrong[subnet.id]]
    problems = [*_security_group_problems(network, database_port)]
    if not working:
        problems += _by_problem(wrong)
    best_first = sorted(working, key=lambda subnet: (-subnet.free_addresses, subnet.id))
    return NetworkVerdict(tuple(best_first), tuple(problems), {key: found for key, found in wrong.items() if found})


def _by_problem(wrong: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Name each problem once, with all subnets that have it."""
    subnets: dict[str, list[str]] = {}
    for subnet_id, problems in wrong.items():
        for problem in problems:
            subnets.setdefault(problem, []).append(subnet_id)
    return [f"subnet {', '.join(found)}: {problem}" for problem, found in subnets.items()]


def _security_group_problems(network: Network, database_port: int | None) -> Iterator[str]:
    names = _names(network)
    if not any(group.lets_itself_in for group in network.security_groups):
        yield f"no security group of {names} lets itself in: add an inbound rule 'All TCP' from the group itself to one"
    if database_port is not None and not outbound(network.security_groups, database_port):
        yield (
            f"no security group of {names} lets out to the database's port {database_port}: "
            "add an outbound rule for it to one"
        )


def _subnet_problems(subnet: Subnet, network: Network, needed_addresses: int) -> Iterator[str]:
    if subnet.free_addresses < needed_addresses:
        yield (
            f"{subnet.free_addresses} free addresses, the Glue workers need {needed_addresses}: "
            "free some, or deploy with fewer workers"
        )
    if not _workers_reach_each_other(subnet, network):
        yield (
            f"no security group of {_names(network)} lets out to itself: "
            "add an outbound rule 'All TCP' to the group itself, or to everywhere, to one"
        )
    table = _route_table(subnet, network)
    yield from _s3_problems(subnet, table, network)
    for service in _SERVICES:
        yield from _service_problems(service, subnet, table, network)


def _workers_reach_each_other(subnet: Subnet, network: Network) -> bool:
    ours = {group.id for group in network.security_groups}
    rules = [rule for group in network.security_groups for rule in group.outbound if rule.covers_all]
    return any(rule.groups & ours or rule.contains(subnet.block) or _unknown_lists(rule, network) for rule in rules)


def _route_table(subnet: Subnet, network: Network) -> RouteTable | None:
    own = [table for table in network.route_tables if subnet.id in table.subnet_ids]
    main = [table for table in network.route_tables if table.is_main]
    return next(iter([*own, *main]), None)


def _s3_problems(subnet: Subnet, table: RouteTable | None, network: Network) -> Iterator[str]:
    found = [endpoint for endpoint in network.endpoints if _is_of(endpoint, network, "s3") and not endpoint.fault]
    by_gateway = [endpoint for endpoint in found if table is not None and table.id in endpoint.route_table_ids]
    by_interface = [endpoint for endpoint in found if not endpoint.is_gateway]
    by_owner = subnet.is_shared and table is not None and bool(table.gateway_prefix_lists)
    if by_gateway or by_owner or (table is not None and table.has_egress):
        # A prefix list is S3's, or it is not known what it holds.
        if not any(rule.has_public_addresses or rule.prefix_lists for rule in _https_out(network)):
            yield (
                f"no security group of {_names(network)} lets out to S3: add an outbound rule 'HTTPS' to the prefix "
                f"list com.amazonaws.{network.region}.s3, or to everywhere, to one"
            )
    elif by_interface:
        yield from _interface_problems(by_interface[0], subnet, network)
    else:
        yield "no route to S3: add an S3 gateway endpoint to its route table, or a default route to a NAT gateway"


def _service_problems(service: str, subnet: Subnet, table: RouteTable | None, network: Network) -> Iterator[str]:
    found = [endpoint for endpoint in network.endpoints if _is_of(endpoint, network, service)]
    in_use = [endpoint for endpoint in found if not endpoint.fault]
    if in_use:  # with private DNS it takes all calls from the VPC, also where there is another way
        yield from _interface_problems(in_use[0], subnet, network)
    elif table is not None and table.has_egress:
        if not any(rule.has_public_addresses or _unknown_lists(rule, network) for rule in _https_out(network)):
            yield (
                f"no security group of {_names(network)} lets out to {service}: "
                "add an outbound rule 'HTTPS' to everywhere to one"
            )
    elif found:
        yield f"no NAT gateway, and the interface endpoint {found[0].id} of {service} {found[0].fault}"
    elif not (subnet.is_shared or (table is not None and table.has_neighbours)):
        yield (
            f"no NAT gateway and no {service} endpoint: add an interface endpoint "
            f"com.amazonaws.{network.region}.{service} with private DNS to the VPC, or a default route to a NAT gateway"
        )


def _interface_problems(endpoint: Endpoint, subnet: Subnet, network: Network) -> Iterator[str]:
    """Both sides must agree: our groups let out, and the endpoint's let in. Unknown groups are not judged."""
    if not endpoint.groups:
        return
    ours, theirs = ({group.id for group in groups} for groups in (network.security_groups, endpoint.groups))
    if not any(rule.groups & theirs or rule.blocks or _unknown_lists(rule, network) for rule in _https_out(network)):
        yield (
            f"no security group of {_names(network)} lets out to the endpoint {endpoint.id} ({endpoint.service}): "
            f"add an outbound rule 'HTTPS' to its security group {', '.join(sorted(theirs))} to one"
        )
    rules = inbound(endpoint.groups, HTTPS)
    if not any(rule.groups & ours or rule.contains(subnet.block) or rule.prefix_lists for rule in rules):
        yield (
            f"the endpoint {endpoint.id} ({endpoint.service}) does not let us in: add an inbound rule 'HTTPS' from "
            f"{_names(network)} to its security group {', '.join(sorted(theirs))}"
        )


def _https_out(network: Network) -> list[Rule]:
    return outbound(network.security_groups, HTTPS)


def _unknown_lists(rule: Rule, network: Network) -> frozenset[str]:
    """Return the prefix lists of a rule that may hold anything: not those of gateway endpoints."""
    return rule.prefix_lists.difference(*(table.gateway_prefix_lists for table in network.route_tables))


def _is_of(endpoint: Endpoint, network: Network, service: str) -> bool:
    # com.amazonaws.<region>.<service>, in China cn.com.amazonaws.<region>.<service>
    return endpoint.service.endswith(f".{network.region}.{service}")


def _names(network: Network) -> str:
    return ", ".join(group.id for group in network.security_groups)
