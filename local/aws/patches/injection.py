"""Faults that a test injects: requests at the front door, and runs of Lambda functions (`local/aws/injection`).

AWS nothing: how it fails is up to the test, which cites what documents it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.services import ec2, lambda_svc, s3, sns

from local.aws.injection import effects, rules
from local.aws.injection.client import PATH
from local.aws.injection.request import Request, describe
from local.aws.patches.replace import attribute, wrap
from local.aws.server import ACCESS_KEY
from local.aws.settings import Settings


def apply(_: Settings) -> None:
    """Let rules reach requests and functions."""
    for owner, name in ((s3, "_get_object_data"), (s3, "_put_object"), (s3, "_error"), (s3, "S3_NS")):
        attribute(owner, name)
    for owner in (ec2, sns):
        attribute(owner, "_error")
    for name in ("_routing_params", "detect_service", "extract_access_key_id"):
        attribute(app, name)
    wrap(app, "app", _remember_client)
    wrap(app, "_dispatch_service_request", _dispatch)
    wrap(lambda_svc, "_execute_function_warm", _execute)


def _remember_client(original: Callable[..., Any]) -> Callable[..., Any]:
    async def application(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        effects.ports.set(((scope.get("client") or ("", 0))[1], (scope.get("server") or ("", 0))[1] or 0))
        await original(scope, receive, send)

    return application


def _dispatch(original: Callable[..., Any]) -> Callable[..., Any]:
    async def proceed(request: Request) -> effects.Response:
        answer: effects.Response = await original(
            request.method, request.path, request.headers, request.body, request.query, request.request_id
        )
        return answer

    async def dispatch(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> effects.Response:
        if path == PATH:
            return _administer(method, body)
        if not rules.current.hits():
            return await original(method, path, headers, body, query, request_id)  # type: ignore[no-any-return]
        request = describe(method, path, headers, body, query, request_id)
        by_owner = app.extract_access_key_id(headers, query) == ACCESS_KEY
        hit = rules.current.take(request.service, request.operation, request.resource, by_owner=by_owner)
        return await (effects.apply(*hit, request, proceed) if hit else proceed(request))

    return dispatch


def _administer(method: str, body: bytes) -> effects.Response:
    """POST a rule, DELETE one (or all), GET the hits."""
    given = json.loads(body) if body else {}
    answer: dict[Any, Any] = {}
    if method == "POST":
        rule = rules.Rule(**{**given, "effect": rules.Effect(**given["effect"])})
        answer = {"number": rules.current.add(rule)}
    elif method == "DELETE":
        rules.current.remove(given["number"])
    else:
        answer = rules.current.hits()
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def _execute(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        name = (func.get("config") or func).get("FunctionName", "")
        hit = rules.current.take("lambda", "Execute", name)
        return effects.failed_execution(hit[1], request_id) if hit else original(func, event, request_id)

    return execute
