"""What happens to the assets when the stack is created, updated or deleted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from publish_assets.assets import load_assets
from publish_assets.properties import Properties, parse_properties
from publish_assets.publication import Owner, Publication

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETE = "Delete"


def apply(event: Mapping[str, Any], resource_id: str, client: "S3Client", folders: Sequence[Path]) -> dict[str, str]:
    """Do what CloudFormation asks for.

    Args:
        event: its request.
        resource_id: physical resource id, see ``resource_id_of``.
        client: S3.
        folders: where the assets are.

    Returns:
        Attributes for ``!GetAtt``: ``ScriptUri`` and ``WheelsUri`` of assets, ``DagUri`` (empty without a DAG);
        ``RestoreWheelsUri`` where restores are allowed, ``DatabaseUri`` where there are drills.

    Raises:
        InvalidPropertiesError, MissingAssetError, ForeignObjectError: see there.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    if event["RequestType"] == DELETE:
        _delete(event, Publication(client, Owner(event["StackId"], resource_id)))
        return {}
    properties = parse_properties(event["ResourceProperties"])
    return {"DagUri": "", **publish(client, event["StackId"], resource_id, properties, folders)}


def publish(
    client: "S3Client", stack_id: str, resource_id: str, properties: Properties, folders: Sequence[Path]
) -> dict[str, str]:
    """Put the assets of a resource of the stack in place, and return their addresses; see ``apply`` for errors."""
    publication = Publication(client, Owner(stack_id, resource_id))
    assets = load_assets(folders, properties)
    for asset in assets.values():
        publication.put(asset)
    return {name: asset.uri for name, asset in assets.items()}


def resource_id_of(event: Mapping[str, Any]) -> str:
    """Return the physical resource id to answer with.

    A delete answers with the id that it got. A create that failed over its properties wrote nothing and gets an id that
    its delete recognises.
    """
    if event.get("RequestType") == DELETE:
        return str(event["PhysicalResourceId"])
    try:
        return parse_properties(event["ResourceProperties"]).resource_id
    except Exception:  # what is wrong is told by apply(); an answer needs an id in any case
        return str(event.get("PhysicalResourceId", NOTHING_PUBLISHED))


NOTHING_PUBLISHED = "assets-nothing-published"


def _delete(event: Mapping[str, Any], publication: Publication) -> None:
    if event["PhysicalResourceId"] != NOTHING_PUBLISHED:
        publication.remove(parse_properties(event["ResourceProperties"]))
