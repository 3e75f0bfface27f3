"""Glue connections: create refuses a second one, update exists, each call needs the catalog and the connection.

AWS documented: a call about a connection is allowed on the catalog and on the connection.
https://docs.aws.amazon.com/glue/latest/dg/api-permissions-reference.html

AWS documented: the errors of a connection that is there already, or is not.
https://docs.aws.amazon.com/glue/latest/webapi/API_CreateConnection.html
https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateConnection.html

AWS assumed: UpdateConnection does not rename.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.core.router import extract_access_key_id
from ministack.services import glue

from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings

OPERATIONS = ("CreateConnection", "UpdateConnection", "DeleteConnection", "GetConnection")


def apply(settings: Settings) -> None:
    """Patch Glue's connections."""
    attribute(glue, "_connections")
    attribute(iam_evaluator, "enforce")
    attribute(iam_actions, "access_denied_response")
    wrap(iam_actions, "extract_resource_arn", _connection_arn)
    wrap(glue, "_create_connection", _create)
    wrap(glue, "_handle_request_sync", lambda original: _dispatch(original, settings.auth))


def _connection_arn(original: Callable[..., str]) -> Callable[..., str]:
    """Stock ministack takes a connection for a table."""

    def extract(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        if service == "glue" and _operation(headers) in OPERATIONS:
            region, account = rest[1:]
            return f"arn:aws:glue:{region}:{account}:connection/{_name(json.loads(body))}"
        return original(service, method, path, headers, body, *rest)

    return extract


def _dispatch(original: Callable[..., Any], auth: bool) -> Callable[..., Any]:
    def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        operation = _operation(headers)
        if auth and operation in OPERATIONS:
            refusal = _refusal_on_catalog(operation, headers, query)
            if refusal is not None:
                return refusal
        if operation == "UpdateConnection":
            return _update(json.loads(body))
        return original(method, path, headers, body, query)

    return handle


def _refusal_on_catalog(operation: str, headers: dict[str, str], query: dict[str, Any]) -> Any:
    region, action = get_region(), f"glue:{operation}"
    catalog = f"arn:aws:glue:{region}:{get_account_id()}:catalog"
    denied = iam_evaluator.enforce(extract_access_key_id(headers, query), action, "glue", region, resource_arn=catalog)
    if denied is None:
        return None
    principal = getattr(denied, "principal_arn", "")
    return iam_actions.access_denied_response(
        "glue", action, principal, new_uuid(), headers=headers, resource_arn=catalog
    )


def _create(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(data: dict[str, Any]) -> Any:
        if _name(data) in glue._connections:
            return error_response_json("AlreadyExistsException", f"Connection already exists: {_name(data)}", 400)
        return original(data)

    return create


def _update(data: dict[str, Any]) -> Any:
    name, given = data.get("Name"), data.get("ConnectionInput") or {}
    current = glue._connections.get(name)
    if current is None:
        return error_response_json("EntityNotFoundException", f"Connection {name} not found.", 400)
    if given.get("Name", name) != name:
        return error_response_json("InvalidInputException", f"Connection {name} cannot be renamed.", 400)
    times = {"CreationTime": current["CreationTime"], "LastUpdatedTime": int(time.time())}
    glue._connections[name] = {**given, "Name": name, **times}
    return json_response({})


def _operation(headers: Any) -> str:
    return str(headers.get("x-amz-target", "")).rsplit(".", 1)[-1]


def _name(data: dict[str, Any]) -> str:
    return str(data.get("Name") or data.get("ConnectionName") or (data.get("ConnectionInput") or {}).get("Name"))
