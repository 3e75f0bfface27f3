"""Entry point of the function Prepare Connection."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from export_contracts.plan import Export
from export_runtime import clients
from export_runtime.observability import identify, observed, publish

from prepare_connection.database_secret import kept_key_version, read_secret
from prepare_connection.glue_connection import GlueConnections
from prepare_connection.mwaa_environment import read_environment
from prepare_connection.network import read_network
from prepare_connection.preparation import Findings, Settings, find_target, prepare, read_settings, subnet_in_use

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics()


@observed(logger, tracer)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return name, database, version and what was done (docs/contracts/README.md)."""
    # A restore has it prepared too, and has an id of the same form.
    identifier = event["restore"]["restore_id"] if "restore" in event else Export.from_json(event["export"]).export_id
    identify(logger, tracer, identifier)
    settings = read_settings(os.environ)
    findings = _find(settings)
    connections = GlueConnections(clients.glue())
    target = find_target(settings, findings, datetime.now(UTC), subnet_in_use(connections, settings.connection_name))
    version = findings.environment.airflow_version if findings.environment else "unknown"
    result = prepare(connections, target, version)
    if target.unusable_subnets:
        logger.warning("other subnets cannot be used", subnets=dict(target.unusable_subnets))
    logger.info("prepared", action=result["action"], subnet=target.subnet.id, airflow_version=version)
    publish(metrics, settings.environment, {"ConnectionsChanged": int(result["action"] != "unchanged")})
    return {**result, "fernet_key_version": kept_key_version(findings.secret)}


def _find(settings: Settings) -> Findings:
    secret = read_secret(clients.secrets_manager(), settings.secret_arn)
    environment = read_environment(clients.mwaa(), settings.environment)
    # EC2 takes an empty list of ids for all there are.
    if environment is None or not (environment.subnet_ids and environment.security_group_ids):
        return Findings(secret, environment, None)
    network = read_network(clients.ec2(), environment.subnet_ids, environment.security_group_ids)
    return Findings(secret, environment, network)
