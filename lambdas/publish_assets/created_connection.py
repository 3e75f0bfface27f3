"""The Glue connection, which Prepare Connection creates at the first export, is deleted with the stack.

CloudFormation does not know that connection. A custom resource stands for it: creating and updating it does nothing.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from export_contracts.connection_mark import is_ours
from export_runtime.aws import aws_call, error_code

from publish_assets.errors import InvalidPropertiesError
from publish_assets.resource import DELETE

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

RESOURCE_TYPE = "Custom::CreatedConnection"
_ADVICE = "Check that the function's role allows glue:GetConnection and DeleteConnection on it, then delete again."


def apply_to_connection(event: Mapping[str, Any], client: "GlueClient") -> dict[str, str]:
    """Delete the connection with the stack, if this project created it; one that is gone or foreign is fine.

    Args:
        event: CloudFormation's request; its property ``ConnectionName`` names the connection.
        client: Glue.

    Returns:
        Attributes for ``!GetAtt``: ``Removed``, the connection's name or empty.

    Raises:
        InvalidPropertiesError: no name.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    name = str(event["ResourceProperties"].get("ConnectionName", ""))
    if not name:
        raise InvalidPropertiesError("Properties of the custom resource are not valid: ConnectionName is missing.")
    if event["RequestType"] != DELETE:
        return {"Removed": ""}
    with aws_call(f"delete Glue connection {name}", _ADVICE):
        return {"Removed": name if _delete_ours(client, name) else ""}


def connection_id_of(event: Mapping[str, Any]) -> str:
    """Return the physical resource id: another connection is another resource; a delete answers with what it got."""
    if event.get("RequestType") == DELETE:
        return str(event["PhysicalResourceId"])
    return f"connection-{(event.get('ResourceProperties') or {}).get('ConnectionName', '')}"


def _delete_ours(client: "GlueClient", name: str) -> bool:
    try:
        if not is_ours(client.get_connection(Name=name, HidePassword=True)["Connection"]):
            return False
        client.delete_connection(ConnectionName=name)
    except ClientError as error:
        if error_code(error) == "EntityNotFoundException":
            return False
        raise
    return True
