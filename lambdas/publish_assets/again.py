"""Asked without CloudFormation: puts again what the stack's resources put, under the same names and marks.

A deployment brings nothing back that somebody, or a lifecycle rule, took away:

AWS documented: CloudFormation calls a custom resource only when one of its properties changes.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export_runtime.environment import required

from publish_assets.properties import parse_properties
from publish_assets.resource import publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUBLISH = "Publish"
"""what the event has as its RequestType"""


def publish_again(variables: Mapping[str, str], client: "S3Client", folders: Sequence[Path]) -> dict[str, str]:
    """Put script, wheels and (where the stack does) the DAG in place.

    Args:
        variables: of the function. They say where, not the event: who may call this chooses no place.
        client: S3.
        folders: where the assets are.

    Returns:
        Addresses: ``ScriptUri``, ``WheelsUri`` and ``DagUri`` (empty without a DAG).

    Raises:
        ConfigurationError, InvalidPropertiesError, MissingAssetError, ForeignObjectError: see there.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    stack, data = required(variables, "STACK_ID"), {"DagUri": ""}
    for raw in _resources(variables):
        # As the resource of the template: its deletion finds what is put here.
        properties = parse_properties(raw)
        data |= publish(client, stack, properties.resource_id, properties, folders)
    return data


def _resources(variables: Mapping[str, str]) -> list[dict[str, Any]]:
    assets = {"Bucket": "ASSETS_BUCKET", "Prefix": "ASSETS_PREFIX", "GluePython": "GLUE_PYTHON"}
    found = [{name: required(variables, variable) for name, variable in assets.items()}]
    if variables.get("DAG_BUCKET"):
        found.append({"DagBucket": variables["DAG_BUCKET"], "DagKey": required(variables, "DAG_KEY")})
    return found
