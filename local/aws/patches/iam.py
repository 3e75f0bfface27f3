"""IAM: evaluations are recorded; loopback counts as secure; resources and condition keys that stock ministack lacks."""

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator

from local.aws.authorization import record, services
from local.aws.authorization.request import Decision, Request
from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings

LOOPBACK = ("127.0.0.1", "::1")
_FORWARDED = b"x-forwarded-proto"
_is_forwarded: ContextVar[bool] = ContextVar("is_forwarded", default=False)
_asked: ContextVar[list[tuple[Any, Any]] | None] = ContextVar("asked", default=None)


def apply(settings: Settings) -> None:
    """Patch IAM evaluation."""
    for name in ("_resource_policy", "_resolve_managed_policy_document", "combine_resource_policy"):
        attribute(iam_evaluator, name)
    wrap(app, "app", _notice_forwarded)
    wrap(app, "pin_request_origin", _loopback_is_secure)
    wrap(iam_actions, "extract_resource_arn", _named_resources)
    wrap(iam_actions, "verified_access_resource_arns", _all_resources)
    wrap(iam_actions, "request_tag_context", _with_condition_keys)
    if settings.auth:
        record.start(settings.home)
        wrap(iam_evaluator, "evaluate", _remember_first)
        wrap(iam_evaluator, "enforce", _recorded)


def _notice_forwarded(original: Callable[..., Any]) -> Callable[..., Any]:
    async def application(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        _is_forwarded.set(any(name.lower() == _FORWARDED for name, _ in scope.get("headers") or ()))
        await original(scope, receive, send)

    return application


def _loopback_is_secure(original: Callable[..., None]) -> Callable[..., None]:
    """Loopback never leaves the machine.

    AWS documented: aws:SecureTransport says whether a request came over TLS.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html

    A request that says how it came (x-forwarded-proto) is believed: so a test sends one over plain http.
    """

    def pin(source_ip: str, secure_transport: bool) -> None:
        original(source_ip, secure_transport or (source_ip in LOOPBACK and not _is_forwarded.get()))

    return pin


def _named_resources(original: Callable[..., str]) -> Callable[..., str]:
    """Environments of MWAA have ARNs of their own; those of Glue connections are in `patches/glue_connections`.

    AWS documented: airflow:GetEnvironment is allowed on an environment.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmanagedworkflowsforapacheairflow.html
    """

    def resource(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> str:
        if service in ("airflow", "mwaa") and path.startswith("/environments/"):
            return f"arn:aws:airflow:{region}:{account}:environment/{path.split('/')[2]}"
        if service == "ec2":
            own = _interface_resources(query, region, account)
            if own:
                return own[0]
        return original(service, method, path, headers, body, query, region, account)

    return resource


def _all_resources(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Every resource of a request to EC2 is evaluated; ministack asks for them where it knows several itself."""

    def resources(query: Any, region: str, account: str) -> list[str]:
        return _interface_resources(query, region, account) or original(query, region, account)

    return resources


def _interface_resources(query: Any, region: str, account: str) -> list[str]:
    """What a request on network interfaces is about.

    AWS documented: the resources that actions on network interfaces are allowed on.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
    """

    def values(start: str) -> list[str]:
        found = [query[name] for name in sorted(query) if name.startswith(start)]
        return [value[0] if isinstance(value, list) else value for value in found]

    action, arn = values("Action")[0], f"arn:aws:ec2:{region}:{account}"
    if action == "CreateNetworkInterface":
        groups = [f"{arn}:security-group/{group}" for group in values("SecurityGroupId.")]
        return [f"{arn}:network-interface/*", f"{arn}:subnet/{values('SubnetId')[0]}", *groups]
    if action in ("CreateTags", "DeleteTags"):
        return [f"{arn}:network-interface/{found}" for found in values("ResourceId.") if found.startswith("eni-")]
    return ["*"] if action == "DescribeNetworkInterfaces" else []


def _with_condition_keys(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Add the condition keys of EC2 and EventBridge.

    AWS documented: every request to EC2 has the condition key ec2:Region.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html

    AWS documented: PutEvents has the condition keys events:source and events:detail-type, from the event.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """

    def context(service: str, action: str, body: bytes, params: Any) -> dict[str, Any]:
        region = {"ec2:region": services.get_region()} if service == "ec2" else {}
        event = _of_event(body) if action in ("PutEvents", "events:PutEvents") else {}
        return {**original(service, action, body, params), **region, **event}

    return context


def _of_event(body: bytes) -> dict[str, str]:
    [entry] = json.loads(body)["Entries"]  # this project puts one at a time
    return {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]}


def _remember_first(original: Callable[..., Any]) -> Callable[..., Any]:
    """What `enforce` evaluates first are the policies of the caller; later ones are a resource's."""

    def evaluate(context: Any, *policies: Any) -> Any:
        result = original(context, *policies)
        asked = _asked.get()
        if asked is not None:
            asked.append((context, result))
        return result

    return evaluate


def _recorded(original: Callable[..., Any]) -> Callable[..., Any]:
    def enforce(*arguments: Any, **keywords: Any) -> Any:
        asked: list[tuple[Any, Any]] = []
        token = _asked.set(asked)
        try:
            denied = original(*arguments, **keywords)
        finally:
            _asked.reset(token)
        if asked:  # not so for the account's owner, and for credentials that are wrong
            context = asked[0][0]
            found = services.policy_of(context.resource_arn)
            role = context.principal_arn.split("/")[1] if ":assumed-role/" in context.principal_arn else None
            statements = tuple(result.matched_sid for _, result in asked[:2] if result.matched_sid)
            request = Request(context, role=role, policy_of=found[0] if found else None)
            record.current.add(request, Decision(denied is None, statements))
        return denied

    return enforce
