"""What a rule does to a request. Each effect is named by the method of `client.Faults` that sets it."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

import psutil
from ministack.core.responses import error_response_json
from ministack.services import ec2, s3, sns

from local.aws.injection import rules
from local.aws.injection.request import Request

Response = tuple[int, dict[str, str], Any]
Proceed = Callable[[Request], Awaitable[Response]]
Given = Mapping[str, Any]

HOLD_POLL_SECONDS = 0.05
ports: ContextVar[tuple[int, int]] = ContextVar("ports", default=(0, 0))
"""of the connection that a request came on: the caller's and the gateway's"""


async def apply(number: int, effect: rules.Effect, request: Request, proceed: Proceed) -> Response:
    """Answer a request that a rule hit.

    Args:
        number: of the rule.
        effect: of the rule.
        request: as it came in.
        proceed: answers a request as if there was no rule.
    """
    return await EFFECTS[effect.name](number, effect.arguments, request, proceed)


async def _refuse(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    if given.get("after"):
        await proceed(request)
    return error_answer(request, given["code"], given["message"], given["status"])


async def _corrupt(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    """Change the last byte of the body on its way, after the signature was checked, as a broken network card would."""
    return await proceed(replace(request, body=request.body[:-1] + bytes([request.body[-1] ^ 1])))


async def _lose(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    """Answer CompleteMultipartUpload as if it had made the object."""
    bucket, key = request.bucket_and_key
    root = "CompleteMultipartUploadResult"
    inner = f"<Bucket>{escape(bucket)}</Bucket><Key>{escape(key)}</Key><ETag>&quot;lost-1&quot;</ETag>"
    body = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{s3.S3_NS}">{inner}</{root}>'
    return 200, {"Content-Type": "application/xml"}, body.encode()


async def _truncate(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    """Put half of the object in the place of the one that was written."""
    answer = await proceed(request)
    bucket, key = request.bucket_and_key
    body = s3._get_object_data(bucket, key) if answer[0] == 200 else None
    if body is not None:
        headers = {"content-type": "application/gzip", "x-amz-sdk-checksum-algorithm": "SHA256"}
        s3._put_object(bucket, key, body[: len(body) // 2], headers)
    return answer


async def _amend(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    """Change fields of an object in the JSON answer."""
    status, headers, body = await proceed(request)
    document = json.loads(body)
    if status == 200:
        document[given["name"]] |= given["fields"]
    return status, headers, json.dumps(document).encode()


async def _hold(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    """Let the request wait until the rule is taken back."""
    while rules.current.is_set(number):
        await asyncio.sleep(HOLD_POLL_SECONDS)
    return await proceed(request)


async def _kill_caller(number: int, given: Given, request: Request, proceed: Proceed) -> Response:
    """Kill the process that asks (SIGKILL), before the request has any effect or, when told so, after it has."""
    if given.get("after"):
        await proceed(request)
    pid = await asyncio.to_thread(_pid_of_caller, *ports.get())
    if pid is None or pid == os.getpid():
        raise RuntimeError(f"no other process has the connection with the ports {ports.get()}, so none can be killed")
    os.kill(pid, signal.SIGKILL)
    return error_answer(request, "ServiceUnavailable", "Nobody is left to read this.", 503)


EFFECTS = {
    "refuse": _refuse,
    "amend": _amend,
    "corrupt": _corrupt,
    "lose": _lose,
    "truncate": _truncate,
    "hold": _hold,
    "kill_caller": _kill_caller,
}


def error_answer(request: Request, code: str, message: str, status: int) -> Response:
    """Return an error in the protocol of the request's service."""
    if request.service == "s3":
        return s3._error(code, message, status, request.path)  # type: ignore[no-any-return]
    if request.service == "ec2":
        return ec2._error(code, message, status)  # type: ignore[no-any-return]
    if "Action=" in request.resource and "x-amz-target" not in request.headers:
        return sns._error(code, message, status)  # type: ignore[no-any-return]
    return error_response_json(code, message, status)  # type: ignore[no-any-return]


def failed_execution(effect: rules.Effect, request_id: str) -> dict[str, Any]:
    """Return what an execution of a function comes to, in the form of ministack's executor."""
    given = effect.arguments
    body = {"errorType": given["error_type"], "errorMessage": given["message"], "requestId": request_id}
    if effect.name == "time_out":
        text = f"RequestId: {request_id} Error: {given['message']}"
        body = {"errorType": given["error_type"], "errorMessage": text}
    return {"body": body, "error": True, "log": ""}


def _pid_of_caller(own: int, gateway: int) -> int | None:
    """Return who has the caller's end; other connections may have the same port towards somebody else."""
    for each in psutil.net_connections(kind="tcp"):
        if each.pid and each.laddr and each.raddr and (each.laddr.port, each.raddr.port) == (own, gateway):
            return int(each.pid)
    return None
