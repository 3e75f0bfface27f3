"""Finds out whether the export can work at all, then prepares its connection."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from export_contracts.connection_mark import is_ours
from export_runtime.environment import required, whole_number

from prepare_connection.database_secret import DatabaseAddress, parse_secret
from prepare_connection.errors import ConnectionImpossibleError
from prepare_connection.glue_connection import (
    ConnectionTarget,
    GlueConnections,
    connection_input,
    limit_problems,
)
from prepare_connection.mwaa_environment import MwaaEnvironment, environment_problems
from prepare_connection.network import Network, Subnet
from prepare_connection.network_rules import NetworkVerdict, judge

CONCURRENT_RUNS = 5
"""Glue runs of an export at the same time: one for each group that a plan can have (plan_export/table_registry.py)"""
_NOTHING_TO_JUDGE = NetworkVerdict((), (), {})


@dataclass(frozen=True)
class Settings:
    """What the template configures."""

    environment: str
    connection_name: str
    secret_arn: str
    needed_addresses: int


@dataclass(frozen=True)
class Findings:
    """What was read. ``network`` is None when the environment could not be read."""

    secret: str | None
    environment: MwaaEnvironment | None
    network: Network | None


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Return the settings that the function's environment variables hold.

    Raises:
        ConfigurationError: a variable is missing or malformed.
    """
    return Settings(
        environment=required(variables, "ENVIRONMENT_NAME"),
        connection_name=required(variables, "CONNECTION_NAME"),
        secret_arn=required(variables, "SECRET_ARN"),
        # AWS documented: each worker of each concurrent run has a network interface of its own, and Glue wants more.
        # https://repost.aws/knowledge-center/glue-test-connection-failed
        needed_addresses=whole_number(variables, "GLUE_NUMBER_OF_WORKERS") * CONCURRENT_RUNS + 1,
    )


def find_target(settings: Settings, findings: Findings, now: datetime, subnet_in_use: str | None) -> ConnectionTarget:
    """Return what the connection should lead to.

    Args:
        settings: of the stack.
        findings: what was read.
        now: to tell whether credentials have expired.
        subnet_in_use: subnet id of the existing connection. It is kept while it works: the number of free addresses
            changes by the minute, and a connection that keeps moving says nothing about drift.

    Raises:
        ConnectionImpossibleError: listing everything that is wrong.
    """
    database, problems = parse_secret(findings.secret, now)
    problems = [*problems, *environment_problems(findings.environment, settings.environment)]
    verdict = _NOTHING_TO_JUDGE
    if findings.network:
        verdict = judge(findings.network, settings.needed_addresses, database.port if database else None)
    problems += verdict.problems
    subnet = _choose(verdict, subnet_in_use)
    if problems or database is None or findings.environment is None or subnet is None:
        raise _impossible(settings, problems)
    target = replace(
        _target(settings, findings.environment, database, subnet), unusable_subnets=verdict.subnet_problems
    )
    if problems := limit_problems(target):
        raise _impossible(settings, problems)
    return target


def prepare(connections: GlueConnections, target: ConnectionTarget, airflow_version: str) -> dict[str, str]:
    """Make the connection lead to its target.

    Returns:
        What the contract says: ``connection_name, database_name, airflow_version, action``.

    Raises:
        ForeignConnectionError, ContentionError, AwsCallError, AwsUnavailableError: see ``GlueConnections``.
    """
    return {
        "connection_name": target.name,
        "database_name": target.database.name,
        "airflow_version": airflow_version,
        "action": connections.ensure(connection_input(target)),
    }


def subnet_in_use(connections: GlueConnections, name: str) -> str | None:
    """Return the subnet id of our existing connection.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    existing = connections.read(name)
    if existing is None or not is_ours(existing):
        return None
    subnet_id: str | None = existing.get("PhysicalConnectionRequirements", {}).get("SubnetId")
    return subnet_id


def _choose(verdict: NetworkVerdict, in_use: str | None) -> Subnet | None:
    kept = (subnet for subnet in verdict.subnets if subnet.id == in_use)
    return next(kept, next(iter(verdict.subnets), None))


def _target(
    settings: Settings, environment: MwaaEnvironment, database: DatabaseAddress, subnet: Subnet
) -> ConnectionTarget:
    return ConnectionTarget(
        name=settings.connection_name,
        environment=settings.environment,
        secret_arn=settings.secret_arn,
        database=database,
        subnet=subnet,
        security_group_ids=environment.security_group_ids,
    )


def _impossible(settings: Settings, problems: Iterable[str]) -> ConnectionImpossibleError:
    listed = list(problems) or [f"MWAA environment {settings.environment} names no subnet or no security group"]
    numbered = " ".join(f"({number}) {problem}." for number, problem in enumerate(listed, 1))
    return ConnectionImpossibleError(f"The export of {settings.environment} cannot work yet: {numbered}")
