"""Can Glue work in this network?"""

from dataclasses import replace

import pytest
from plan_export.table_registry import GROUPS, UNCATALOGUED
from prepare_connection.network import RouteTable
from prepare_connection.network_rules import judge
from prepare_connection.preparation import read_settings

from tests.unit.lambdas.prepare_connection.networks import (
    BLOCKS,
    EVERYWHERE,
    PRIVATE_ENDPOINTS,
    REGION,
    S3_GATEWAY,
    S3_LIST,
    endpoint,
    group,
    https,
    network,
    private,
    rule,
    subnet,
    without_egress,
)
from tests.unit.template.definitions import variables

CLOSED = group("sg-1", inbound=())
STRICT = group("sg-1", outbound=(rule("sg-1"), https(S3_LIST)))
OTHER_TABLE = replace(S3_GATEWAY, route_table_ids=("rtb-other",))
OTHER_REGION = replace(S3_GATEWAY, service="com.amazonaws.us-east-1.s3")
OWN_TABLE = RouteTable("rtb-own", is_main=False, subnet_ids=("subnet-a", "subnet-b"), has_egress=True)


def guarded(*inbound):
    """Return the private endpoints with a security group of their own."""
    return (S3_GATEWAY, *(endpoint(name, group("sg-e", inbound)) for name in ("secretsmanager", "glue")))


def out(*rules):
    """Return the environment's group with these outbound rules."""
    return {"security_groups": (group("sg-1", outbound=rules),)}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(network(), id="NAT"),
        pytest.param(private(), id="private"),
        pytest.param(private(security_groups=(STRICT,)), id="private, out to itself and to S3 only"),
        pytest.param(private(endpoints=(endpoint("s3"), *PRIVATE_ENDPOINTS)), id="interface endpoint for S3"),
        pytest.param(network(security_groups=(CLOSED, group("sg-2"))), id="one of two groups is open to itself"),
        pytest.param(network(route_tables=(without_egress(), OWN_TABLE)), id="own route table beats the main one"),
        pytest.param(private(endpoints=guarded(https("sg-1"))), id="endpoints let the group in"),
        pytest.param(private(endpoints=guarded(https("10.0.0.0/16"))), id="endpoints let the VPC in"),
        pytest.param(private(endpoints=guarded(https("pl-x"))), id="endpoints let in a prefix list, whatever is on it"),
        pytest.param(
            private(endpoints=guarded(https("sg-1")), **out(rule("sg-1"), https(S3_LIST), https("sg-e"))),
            id="out to the endpoints' group",
        ),
        pytest.param(network(**out(rule("10.0.0.0/16"), https(EVERYWHERE))), id="out to the VPC and HTTPS everywhere"),
        pytest.param(network(**out(rule("sg-1"), https("pl-x"))), id="out to a prefix list, whatever is on it"),
        pytest.param(
            private(
                route_tables=(without_egress(has_neighbours=True),), endpoints=(S3_GATEWAY,), security_groups=(STRICT,)
            ),
            id="endpoints may be in a network beyond a transit gateway",
        ),
        pytest.param(
            private(subnets=tuple(replace(subnet(name), is_shared=True) for name in BLOCKS), endpoints=()),
            id="the endpoints are of the account that shares its subnets",
        ),
        pytest.param(network(**out(rule("pl-x"))), id="out to a prefix list on all ports, whatever is on it"),
        pytest.param(
            private(
                endpoints=(S3_GATEWAY, *(replace(found, groups=()) for found in PRIVATE_ENDPOINTS)),
                security_groups=(STRICT,),
            ),
            id="the endpoints' groups cannot be seen",
        ),
    ],
)
def test_given_a_network_that_works_then_there_is_no_problem(given):
    verdict = judge(given, 10, 5432)
    assert verdict.problems == ()
    assert [found.id for found in verdict.subnets] == ["subnet-a", "subnet-b"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            network(security_groups=(CLOSED,)),
            ["no security group of sg-1 lets itself in", "add an inbound rule"],
            id="no self-referencing rule",
        ),
        pytest.param(
            network(**out(https(EVERYWHERE), rule(EVERYWHERE, ports=(5432, 5432)))),
            ["no security group of sg-1 lets out to itself", "add an outbound rule 'All TCP'"],
            id="workers cannot reach each other",
        ),
        pytest.param(
            network(**out(rule("10.9.0.0/16"), https(EVERYWHERE))),
            ["lets out to itself"],
            id="out to other addresses only",
        ),
        pytest.param(
            network(**out(https(EVERYWHERE))),
            ["lets out to the database's port 5432", "add an outbound rule for it"],
            id="no way to the database",
        ),
        pytest.param(
            private(**out(rule("sg-1"))),
            ["lets out to S3", f"'HTTPS' to the prefix list com.amazonaws.{REGION}.s3"],
            id="no way to S3",
        ),
        pytest.param(
            private(**out(rule("sg-1"), https("10.0.0.0/8"))), ["lets out to S3"], id="no public address is let out to"
        ),
        pytest.param(
            network(security_groups=(STRICT,), route_tables=(OWN_TABLE, without_egress())),
            ["lets out to secretsmanager", "lets out to glue"],
            id="NAT, but out to S3 only",
        ),
        pytest.param(
            private(endpoints=guarded(https("sg-1")), security_groups=(STRICT,)),
            ["lets out to the endpoint vpce-glue", "to its security group sg-e"],
            id="not out to the endpoints' group",
        ),
        pytest.param(
            private(endpoints=guarded(https("sg-2"))),
            ["the endpoint vpce-secretsmanager", "does not let us in", "'HTTPS' from sg-1 to its security group sg-e"],
            id="endpoints let others in only",
        ),
        pytest.param(
            private(endpoints=guarded(rule("sg-1", ports=(80, 80)))), ["does not let us in"], id="not on port 443"
        ),
        pytest.param(
            private(endpoints=guarded(https("10.0.0.0/25", "10.0.1.0/25"))),
            ["does not let us in"],
            id="half of each subnet is let in",
        ),
        pytest.param(
            network(endpoints=guarded(https("sg-2"))),
            ["the endpoint vpce-glue"],
            id="with private DNS an endpoint is used although there is NAT",
        ),
        pytest.param(
            private(endpoints=(endpoint("s3", group("sg-e", ())), *PRIVATE_ENDPOINTS)),
            ["the endpoint vpce-s3"],
            id="the interface endpoint of S3 lets nobody in",
        ),
        pytest.param(
            private(endpoints=(S3_GATEWAY, PRIVATE_ENDPOINTS[0], endpoint("glue", fault="has private DNS off: fix"))),
            ["the interface endpoint vpce-glue of glue has private DNS off: fix"],
            id="private DNS is off",
        ),
        pytest.param(
            network(subnets=(subnet("subnet-a", free=9),)),
            ["subnet subnet-a: 9 free addresses", "need 10"],
            id="too few addresses",
        ),
        pytest.param(private(endpoints=PRIVATE_ENDPOINTS), ["no route to S3", "S3 gateway endpoint"], id="no S3"),
        pytest.param(
            private(endpoints=(S3_GATEWAY,)),
            [f"com.amazonaws.{REGION}.secretsmanager", f"com.amazonaws.{REGION}.glue"],
            id="no endpoints",
        ),
        pytest.param(
            private(endpoints=(OTHER_TABLE, *PRIVATE_ENDPOINTS)),
            ["no route to S3"],
            id="gateway endpoint on another route table",
        ),
        pytest.param(
            private(endpoints=(replace(S3_GATEWAY, fault="is pending"), *PRIVATE_ENDPOINTS)),
            ["no route to S3"],
            id="gateway endpoint that is not there yet",
        ),
        pytest.param(
            private(endpoints=(OTHER_REGION, *PRIVATE_ENDPOINTS)), ["no route to S3"], id="endpoint of another region"
        ),
        pytest.param(private(route_tables=()), ["no route to S3"], id="no route table"),
        pytest.param(
            private(
                subnets=(replace(subnet("subnet-a"), is_shared=True),),
                route_tables=(replace(without_egress(), gateway_prefix_lists=frozenset()),),
                endpoints=(),
            ),
            ["no route to S3"],
            id="a shared subnet without any gateway endpoint",
        ),
    ],
)
def test_given_a_network_that_cannot_work_then_each_problem_comes_with_its_fix(given, said):
    verdict = judge(given, 10, 5432)
    listed = " ".join(verdict.problems)
    assert [part for part in said if part not in listed] == []


def test_given_several_problems_then_all_are_listed_and_each_but_once():
    broken = private(
        security_groups=(group("sg-1", inbound=(), outbound=()),),
        subnets=(subnet("subnet-a", free=1), subnet("subnet-b", free=2)),
        endpoints=(),
    )
    problems = judge(broken, 10, 5432).problems
    # Inbound and database; addresses (each subnet has its own number); out to itself, S3, two endpoints.
    assert len(problems) == 2 + 2 + 4
    assert sum(problem.startswith("subnet subnet-a, subnet-b: ") for problem in problems) == 4


def test_given_an_unknown_port_then_no_problem_is_made_of_it():
    assert judge(network(**out(rule(EVERYWHERE, ports=(1, 65535)))), 10, None).problems == ()


def test_given_one_subnet_works_then_the_other_is_no_problem_but_is_remembered():
    verdict = judge(network(subnets=(subnet("subnet-a", free=1), subnet("subnet-b"))), 10)
    assert verdict.problems == ()
    assert [found.id for found in verdict.subnets] == ["subnet-b"]
    assert "1 free addresses" in verdict.subnet_problems["subnet-a"][0]


def test_given_an_endpoint_that_lets_one_subnet_in_then_glue_works_in_that_one():
    verdict = judge(private(endpoints=guarded(https("10.0.1.0/24"))), 10)
    assert verdict.problems == ()
    assert [found.id for found in verdict.subnets] == ["subnet-b"]


def test_given_two_subnets_work_then_the_one_with_more_addresses_is_better():
    verdict = judge(network(subnets=(subnet("subnet-a", free=50), subnet("subnet-b", free=51))), 10)
    assert [found.id for found in verdict.subnets] == ["subnet-b", "subnet-a"]


def test_given_workers_then_each_needs_an_address_in_the_run_of_every_group_that_a_plan_can_have():
    given = variables("PrepareConnectionFunction", GlueNumberOfWorkers="3")
    assert read_settings(given).needed_addresses == 3 * len({*GROUPS, UNCATALOGUED}) + 1
