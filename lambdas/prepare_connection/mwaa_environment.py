"""The MWAA environment whose database is exported."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from export_runtime.aws import aws_call, error_code

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient

# In every other status the database may be upgraded, restored or gone.
# AWS documented: an environment is usable when AVAILABLE or UPDATE_FAILED: "restored to its previous state successfully
# and is ready to use".
# https://docs.aws.amazon.com/mwaa/latest/API/API_Environment.html
USABLE_STATUSES = ("AVAILABLE", "UPDATE_FAILED")


@dataclass(frozen=True)
class MwaaEnvironment:
    """What matters about an environment."""

    name: str
    status: str
    airflow_version: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


def read_environment(client: "MWAAClient", name: str) -> MwaaEnvironment | None:
    """Return an environment, or None when there is none of this name.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with aws_call(f"look at MWAA environment {name}", "Check that the function's role allows airflow:GetEnvironment."):
        try:
            found = client.get_environment(Name=name)["Environment"]
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
    network = found.get("NetworkConfiguration", {})
    return MwaaEnvironment(
        name=name,
        status=found.get("Status", "unknown"),
        airflow_version=found.get("AirflowVersion", "unknown"),
        subnet_ids=tuple(network.get("SubnetIds", ())),
        security_group_ids=tuple(network.get("SecurityGroupIds", ())),
    )


def environment_problems(environment: MwaaEnvironment | None, name: str) -> list[str]:
    """Return why an environment cannot be exported now."""
    if environment is None:
        return [f"there is no MWAA environment {name} in this account and region: deploy the stack with the right name"]
    if environment.status not in USABLE_STATUSES:
        return [
            f"MWAA environment {name} is {environment.status}: wait until it is AVAILABLE, then redrive the execution"
        ]
    return []
