"""The Glue connection: what it should be, and making it so without touching what somebody else created."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from export_contracts.connection_mark import MARK, is_ours
from export_runtime.aws import aws_call, error_code
from export_runtime.errors import ContentionError

from prepare_connection.database_secret import DatabaseAddress
from prepare_connection.errors import ForeignConnectionError
from prepare_connection.network import Subnet

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import ConnectionInputTypeDef

# AWS documented: the longest property of a connection, in characters, and the most security groups.
# https://docs.aws.amazon.com/glue/latest/webapi/API_ConnectionInput.html
PROPERTY_LIMIT = 1024
SECURITY_GROUP_LIMIT = 50
_ADVICE = "Check that the function's role allows glue:GetConnection, CreateConnection and UpdateConnection on it."
_ATTEMPTS = 3


@dataclass(frozen=True)
class ConnectionTarget:
    """What the connection should lead to."""

    name: str
    environment: str
    secret_arn: str
    database: DatabaseAddress
    subnet: Subnet
    security_group_ids: tuple[str, ...]
    # Why other subnets of the environment cannot be used; for the log, the connection does not depend on it.
    unusable_subnets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def connection_input(target: ConnectionTarget) -> "ConnectionInputTypeDef":
    """Return the connection as Glue wants it. It names the secret and holds no credentials."""
    return {
        "Name": target.name,
        "Description": f"{MARK} for the MWAA environment {target.environment}. The next export undoes changes.",
        "ConnectionType": "JDBC",
        "ConnectionProperties": {
            "JDBC_CONNECTION_URL": target.database.jdbc_url,
            "JDBC_ENFORCE_SSL": "true" if target.database.enforce_tls else "false",
            "SECRET_ID": target.secret_arn,
        },
        "PhysicalConnectionRequirements": {
            "SubnetId": target.subnet.id,
            "SecurityGroupIdList": sorted(target.security_group_ids),
            "AvailabilityZone": target.subnet.zone,
        },
    }


def limit_problems(target: ConnectionTarget) -> list[str]:
    """Return where the connection would exceed Glue's limits."""
    properties = connection_input(target)["ConnectionProperties"]
    problems = [
        f"Glue allows {PROPERTY_LIMIT} characters in {name}, this one has {len(value)}: shorten it"
        for name, value in properties.items()
        if len(value) > PROPERTY_LIMIT
    ]
    if len(target.security_group_ids) > SECURITY_GROUP_LIMIT:
        problems.append(
            f"Glue allows {SECURITY_GROUP_LIMIT} security groups, the environment has {len(target.security_group_ids)}"
        )
    return problems


class GlueConnections:
    """Glue's catalogue of connections."""

    def __init__(self, client: "GlueClient") -> None:
        """Use a client that was made with ``CLIENT_CONFIG``."""
        self._client = client

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a connection, or None when there is none of this name.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"read Glue connection {name}", _ADVICE):
            try:
                return dict(self._client.get_connection(Name=name, HidePassword=True)["Connection"])
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return None
                raise

    def ensure(self, wanted: "ConnectionInputTypeDef") -> str:
        """Make the connection what it should be.

        Returns:
            "created", "updated" or "unchanged".

        Raises:
            ForeignConnectionError: one of this name exists without our mark; it is left alone.
            ContentionError: it kept appearing and disappearing.
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        name = wanted["Name"]
        for _ in range(_ATTEMPTS):
            existing = self.read(name)
            if existing is None:
                if self._create(wanted):
                    return "created"
            elif not is_ours(existing):
                raise ForeignConnectionError(
                    f"Glue connection {name} exists, and this project did not create it (its description does not "
                    f"begin with {MARK!r}). It was left alone: delete it (copy it to another name first), then redrive."
                )
            elif not differs(existing, wanted):
                return "unchanged"
            elif self._update(wanted):
                return "updated"
        raise ContentionError(f"Glue connection {name} was changed by others meanwhile. Try again.")

    def _create(self, wanted: "ConnectionInputTypeDef") -> bool:
        with aws_call(f"create Glue connection {wanted['Name']}", _ADVICE):
            try:
                self._client.create_connection(ConnectionInput=wanted)
            except ClientError as error:
                if error_code(error) == "AlreadyExistsException":
                    return False
                raise
        return True

    def _update(self, wanted: "ConnectionInputTypeDef") -> bool:
        with aws_call(f"update Glue connection {wanted['Name']}", _ADVICE):
            try:
                self._client.update_connection(Name=wanted["Name"], ConnectionInput=wanted)
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return False
                raise
        return True


def differs(existing: dict[str, Any], wanted: "ConnectionInputTypeDef") -> bool:
    """Say whether a connection is not what it should be, in any property, or did not come up."""
    requirements = dict(existing.get("PhysicalConnectionRequirements", {}))
    requirements["SecurityGroupIdList"] = sorted(requirements.get("SecurityGroupIdList", []))
    return (
        existing.get("Status") == "FAILED"
        or existing.get("Description") != wanted["Description"]
        or existing.get("ConnectionType") != wanted["ConnectionType"]
        or existing.get("ConnectionProperties") != wanted["ConnectionProperties"]
        or requirements != wanted["PhysicalConnectionRequirements"]
    )
