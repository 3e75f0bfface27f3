"""Lambda: errors carry the exception's class, functions run with boto3 alone, and log and trace in their role.

AWS documented: a function's exception reaches the caller as errorType, errorMessage and stackTrace.
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html

AWS seen: with it comes the request's id, requestId. https://github.com/aws/aws-lambda-python-runtime-interface-client/pull/40

AWS seen: a function's time-out is Sandbox.Timedout. https://github.com/aws/aws-durable-execution-docs/issues/281
https://github.com/aws/aws-appsync-community/issues/386

AWS seen: a runtime that ends is Runtime.ExitError, "Runtime exited without providing a reason".
https://github.com/ballerina-platform/module-ballerinax-aws.lambda/issues/229
https://github.com/brefphp/laravel-bridge/issues/45

AWS documented: a function's logs and traces are written in its role.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from local.aws.authorization import documented
from local.aws.authorization.services import fulfils, role_may
from local.aws.credentials import check_trust
from local.aws.patches.replace import replace_text, wrap
from local.aws.settings import Settings

PRINCIPAL = "lambda.amazonaws.com"
LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")
# Stock ministack replaces the worker after an exception, and forgets its class.
# AWS assumed: an exception of the handler leaves the execution environment of a function as it is.
_STOCK_FAILURE = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
_FAILURE = (
    '{"status": "ok", "failure": {"status": "error", "error": str(e), "type": type(e).__name__, '
    '"trace": traceback.format_exc(), "frames": traceback.format_tb(e.__traceback__)[1:]}}'
)
logger = logging.getLogger("lambda_functions")
_last = threading.local()  # the worker's answer, from `Worker.invoke` to the caller in the same thread


def apply(settings: Settings) -> None:
    """Patch Lambda's local executor."""
    replace_text(lambda_runtime, "_PYTHON_WORKER_SCRIPT", _STOCK_FAILURE, _FAILURE)
    wrap(lambda_runtime.Worker, "invoke", _remember_answer)
    wrap(lambda_svc, "_execute_function_warm", _name_error)
    if settings.lambda_python is not None:
        wrap(lambda_runtime, "_detect_runtime_binary", _use_interpreter(str(settings.lambda_python)))
    if settings.auth:
        wrap(lambda_runtime, "execution_credentials", _check_trust)
        wrap(lambda_svc, "_emit_lambda_logs", _log_in_role)


def _remember_answer(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def invoke(*args: Any, **kwargs: Any) -> dict[str, Any]:
        answer = original(*args, **kwargs)
        _last.answer = {**answer, **answer.pop("failure", {})}
        return _last.answer

    return invoke


def _name_error(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        _last.answer = {}
        result = original(func, event, request_id)
        if result.get("error") and isinstance(result.get("body"), dict):
            result["body"] = _error_payload(result["body"], _last.answer, request_id)
        return result

    return execute


def _error_payload(body: dict[str, Any], answer: dict[str, Any], request_id: str) -> dict[str, Any]:
    """The payload of a failed invocation, as the Python runtime and the Lambda service write it."""
    message = str(body.get("errorMessage", ""))
    if answer.get("type"):
        payload = {"errorMessage": message, "errorType": answer["type"], "requestId": request_id}
        return {**payload, "stackTrace": answer.get("frames", [])}
    if body.get("errorType") == "Sandbox.Timedout":
        return {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: {message}"}
    if message.startswith("Worker init failed"):
        return {
            "errorType": "Runtime.ImportModuleError",
            "errorMessage": message.removeprefix("Worker init failed: "),
            "stackTrace": [],
        }
    if body.get("errorType") == "Runtime.HandlerError":  # the worker is gone: killed, or sys.exit
        return {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {request_id} Error: Runtime exited without providing a reason",
        }
    return body


def _use_interpreter(python: str) -> Callable[[Any], Any]:
    def make(original: Callable[[str], tuple[str, str]]) -> Callable[[str], tuple[str, str]]:
        def detect(runtime: str) -> tuple[str, str]:
            binary, script = original(runtime)
            return (python if runtime.startswith("python") else binary), script

        return detect

    return make


def _check_trust(original: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def credentials(config: dict[str, Any]) -> dict[str, str]:
        check_trust(config.get("Role", ""), PRINCIPAL)
        return original(config)

    return credentials


def _log_in_role(original: Callable[..., None]) -> Callable[..., None]:
    """Log and trace in the function's role.

    AWS assumed: a function's role that may not write them leaves the function as it is, without them.
    """

    def emit(func: dict[str, Any], *arguments: Any, **keywords: Any) -> None:
        config = func.get("config") or func
        role, name = config.get("Role", ""), config.get("FunctionName", "")
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        stream = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:{name}"
        refused = [action for action in LOG_ACTIONS if not role_may(role, action, stream)]
        traced = (config.get("TracingConfig") or {}).get("Mode") == "Active"
        missing = [*refused, *(fulfils(role, documented.FUNCTION_TRACES) if traced else ())]
        if missing:
            logger.warning("The role of function %s may not %s", name, ", ".join(missing))
        if not refused:
            original(func, *arguments, **keywords)

    return emit
