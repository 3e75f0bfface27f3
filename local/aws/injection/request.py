"""What a request asks for, in the words of the API: service, operation, resource."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.core import iam_actions

# (method, a query parameter) of an object or a bucket; the first that applies
_S3_OPERATIONS = (
    ("PUT", "partNumber", "UploadPart"),
    ("POST", "uploadId", "CompleteMultipartUpload"),
    ("POST", "uploads", "CreateMultipartUpload"),
    ("DELETE", "uploadId", "AbortMultipartUpload"),
    ("GET", "uploadId", "ListParts"),
    ("GET", "uploads", "ListMultipartUploads"),
    ("GET", "list-type", "ListObjectsV2"),
)
_S3_OBJECT_OPERATIONS = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
_BODY_SEARCHED = 200_000  # bytes of a JSON or query body


@dataclass(frozen=True)
class Request:
    """A request as it came in.

    Args:
        service: the emulator's name of it.
        operation: such as `UploadPart`.
        resource: `bucket/key`, the name of a function, or the body.
        method, path, headers, body, query: of the HTTP request.
        request_id: the emulator's.
    """

    service: str
    operation: str
    resource: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Any]
    request_id: str

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """Return bucket and key of a request to S3."""
        bucket, _, key = self.resource.partition("/")
        return bucket, key


def describe(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any], request_id: str
) -> Request:
    """Return what a request asks for."""
    parameters = app._routing_params(method, path, headers, body, query)
    service = app.detect_service(method, path, headers, parameters)
    operation = _operation(service, method, path, headers, body, parameters)
    return Request(service, operation, _resource(service, path, body), method, path, headers, body, query, request_id)


def _operation(
    service: str, method: str, path: str, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, Any]
) -> str:
    if service == "s3":
        return _s3_operation(method, path, parameters)
    if service == "lambda" and path.endswith("/invocations"):
        return "Invoke"
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if action := parameters.get("Action"):
        return str(action[0] if isinstance(action, list) else action)
    return (iam_actions.extract_iam_action(service, method, path, headers, body, parameters) or "").rpartition(":")[2]


def _s3_operation(method: str, path: str, parameters: Mapping[str, Any]) -> str:
    for its_method, parameter, operation in _S3_OPERATIONS:
        if method == its_method and parameter in parameters:
            return operation
    of_object = "/" in path.strip("/")
    return _S3_OBJECT_OPERATIONS.get(method, method) if of_object else f"{method} bucket"


def _resource(service: str, path: str, body: bytes) -> str:
    if service == "s3":
        return unquote(path).lstrip("/")
    if service == "lambda":
        return unquote(path).partition("/functions/")[2].partition("/")[0].rpartition(":")[2]
    return body[:_BODY_SEARCHED].decode(errors="replace")
