"""Asked without CloudFormation: puts the files of the stack's resources in place again, with the same names and marks.

A deployment brings nothing back that somebody, or a lifecycle rule, took away:

AWS documented: CloudFormation calls a custom resource only when one of its properties changes.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from publish_assets.properties import parse_properties
from publish_assets.resource import publish
from publish_assets.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUBLISH = "Publish"
"""what the event has as its RequestType"""


def publish_again(settings: Settings, client: "S3Client", folders: Sequence[Path]) -> dict[str, str]:
    """Put script, wheels and (where the stack does) the DAG in place.

    Args:
        settings: of the function. They say where, not the event: whoever may call this cannot choose a place.
        client: S3.
        folders: where the assets are.

    Returns:
        Addresses: ``ScriptUri``, ``WheelsUri`` and ``DagUri`` (empty without a DAG), ``RestoreWheelsUri`` where
        restores are allowed, and ``DatabaseUri`` where there are drills.

    Raises:
        InvalidPropertiesError, MissingAssetError, ForeignObjectError: see there.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    data = {"DagUri": ""}
    for raw in settings.resources:
        # On behalf of the template's resource, whose deletion then finds what is put here.
        properties = parse_properties(raw)
        data |= publish(client, settings.stack_id, properties.resource_id, properties, folders)
    return data
