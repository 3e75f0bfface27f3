"""The service integrations, called through the front door with the credentials of the machine's role.

AWS documented: what lambda:invoke, sns:publish and glue:startJobRun.sync take and give.
https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html

AWS documented: a start that Glue throttles is Glue.AWSGlueException, since its API names no such error for the call.
https://repost.aws/knowledge-center/glue-throttling-rate-exceeded

AWS assumed: the names and causes of the errors of other calls that a service refuses.
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions as sfn

from local.aws.authorization import documented
from local.aws.authorization.services import fulfils
from local.aws.credentials import RoleError, role_client
from local.aws.settings import Settings
from local.aws.states.scope import Cancelled, Scope

PRINCIPAL = "states.amazonaws.com"
ENDED = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED")


@dataclass(frozen=True)
class Call:
    """One attempt of a task.

    Args:
        settings: the emulator's.
        resource: the state's Resource.
        arguments: evaluated.
        role_arn: the state machine's role.
        session: name of the role session.
        scope: ends the attempt early.
        timeout: seconds, or None.
    """

    settings: Settings
    resource: str
    arguments: Any
    role_arn: str
    session: str
    scope: Scope
    timeout: float | None

    @property
    def integration(self) -> str:
        """Such as `lambda:invoke`."""
        return self.resource.rpartition(":states:::")[2]

    def client(self, service: str) -> Any:
        """A client that acts in the machine's role."""
        return role_client(self.settings, service, self.role_arn, PRINCIPAL, self.session)


def perform(call: Call) -> Any:
    """Do what a task asks for and return its result.

    Raises:
        sfn._ExecutionError: it failed; the error has the name that Step Functions gives it.
        Cancelled: its scope was.
    """
    handlers = {"lambda:invoke": _invoke_function, "sns:publish": _publish, "glue:startJobRun": _start_job_run}
    if call.integration == "glue:startJobRun.sync":
        return _run_job(call)
    if call.integration == "states:startExecution.sync:2":
        return _run_execution(call)
    handler = handlers.get(call.integration, _unchecked)
    return _bounded(call, lambda: handler(call))


def _unchecked(call: Call) -> Any:
    """Leave it to ministack, which asks no role."""
    if call.settings.auth:
        raise sfn._ExecutionError(
            "States.Runtime",
            f"The emulated Step Functions does not check the machine's role for {call.resource}. "
            "Add the integration to local/aws/states/tasks.py.",
        )
    return sfn._invoke_resource(call.resource, call.arguments)


def _invoke_function(call: Call) -> Any:
    request = {name: value for name, value in call.arguments.items() if name != "Payload"}
    with _named_errors("Lambda", "AWSLambda"):
        response = call.client("lambda").invoke(**request, Payload=json.dumps(call.arguments.get("Payload", {})))
    text = response["Payload"].read().decode()
    payload = json.loads(text) if text else None
    if response.get("FunctionError"):
        raise sfn._ExecutionError(payload.get("errorType", "Lambda.Unknown"), text)
    return {
        "ExecutedVersion": response.get("ExecutedVersion", "$LATEST"),
        "Payload": payload,
        "StatusCode": response["StatusCode"],
    }


def _publish(call: Call) -> Any:
    request = dict(call.arguments)
    if not isinstance(request.get("Message"), str):
        request["Message"] = json.dumps(request.get("Message"))
    with _named_errors("SNS", "AmazonSNS"):
        return {"MessageId": call.client("sns").publish(**request)["MessageId"]}


def _start_job_run(call: Call) -> Any:
    with _named_errors("Glue", "AWSGlue"):
        return {"JobRunId": call.client("glue").start_job_run(**call.arguments)["JobRunId"]}


def _run_job(call: Call) -> Any:
    """`.sync`: start, look until it has ended, and stop the run when nobody waits for it any more."""
    deadline = time.monotonic() + call.timeout if call.timeout is not None else float("inf")
    run_id = _start_job_run(call)["JobRunId"]
    refused = fulfils(call.role_arn, documented.SYNC_JOB_RUNS, _job_arn(call)) if call.settings.auth else []
    if refused:
        raise sfn._ExecutionError("Glue.AWSGlueException", f"The role of the state machine may not {refused[0]}")
    try:
        while True:
            with _named_errors("Glue", "AWSGlue"):
                run = call.client("glue").get_job_run(JobName=call.arguments["JobName"], RunId=run_id)["JobRun"]
            if run["JobRunState"] in ENDED:
                break
            if time.monotonic() > deadline:
                raise _timed_out()
            call.scope.sleep(call.settings.poll_seconds)
    except (Cancelled, sfn._ExecutionError):
        _stop_job_run(call, run_id)
        raise
    document = {
        name: int(value.timestamp() * 1000) if hasattr(value, "timestamp") else value for name, value in run.items()
    }
    if run["JobRunState"] != "SUCCEEDED":
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(document))
    return document


def _run_execution(call: Call) -> Any:
    """`.sync:2`: start an execution, look until it has ended, and stop it when nobody waits for it any more.

    AWS documented: the output is JSON, and an execution that does not succeed is States.TaskFailed.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
    """
    deadline = time.monotonic() + call.timeout if call.timeout is not None else float("inf")
    request = {f"{name[0].lower()}{name[1:]}": value for name, value in call.arguments.items()}
    request["input"] = json.dumps(request.get("input", {}))
    with _named_errors("StepFunctions", "AWSStepFunctions"):
        arn = call.client("stepfunctions").start_execution(**request)["executionArn"]
    rule = f"arn:aws:events:{get_region()}:{get_account_id()}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    refused = fulfils(call.role_arn, documented.SYNC_EXECUTIONS, rule) if call.settings.auth else []
    if refused:
        raise sfn._ExecutionError(
            "StepFunctions.AWSStepFunctionsException", f"The role of the state machine may not {refused[0]}"
        )
    try:
        while True:
            with _named_errors("StepFunctions", "AWSStepFunctions"):
                found = call.client("stepfunctions").describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                break
            if time.monotonic() > deadline:
                raise _timed_out()
            call.scope.sleep(call.settings.poll_seconds)
    except (Cancelled, sfn._ExecutionError):
        _stop_execution(call, arn)
        raise
    document = {
        f"{name[0].upper()}{name[1:]}": int(value.timestamp() * 1000) if hasattr(value, "timestamp") else value
        for name, value in found.items()
        if name != "ResponseMetadata"
    }
    if found["status"] != "SUCCEEDED":
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(document, default=str))
    return {**document, "Output": json.loads(found["output"])}


def _stop_execution(call: Call, arn: str) -> None:
    """Stop an execution that nobody waits for; what the role may not stop goes on, as a job run does."""
    try:
        call.client("stepfunctions").stop_execution(executionArn=arn)
    except (ClientError, BotoCoreError) as error:
        sfn.logger.warning("Execution %s goes on: %s", arn, error)


def _job_arn(call: Call) -> str:
    return f"arn:aws:glue:{get_region()}:{get_account_id()}:job/{call.arguments['JobName']}"


def _stop_job_run(call: Call, run_id: str) -> None:
    """Stop a run that nobody waits for; what the role may not stop goes on.

    AWS documented: Step Functions stops a run that nobody waits for as well as it can.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
    """
    try:
        call.client("glue").batch_stop_job_run(JobName=call.arguments["JobName"], JobRunIds=[run_id])
    except (ClientError, BotoCoreError) as error:
        sfn.logger.warning("Job run %s goes on: %s", run_id, error)


def _bounded(call: Call, work: Callable[[], Any]) -> Any:
    """Wait for work in another thread while its result is of interest. The work goes on, as a Lambda function does."""
    answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    deadline = time.monotonic() + call.timeout if call.timeout is not None else float("inf")
    while True:
        try:
            result, error = answers.get(timeout=0.02)
        except queue.Empty:
            call.scope.check()
            if time.monotonic() > deadline:
                raise _timed_out() from None
            continue
        if error is not None:
            raise error
        return result


def _timed_out() -> Exception:
    error: Exception = sfn._ExecutionError("States.Timeout", "")
    return error


class _named_errors:  # noqa: N801 - reads as a statement
    """Turns errors of AWS clients into those that Step Functions reports."""

    def __init__(self, prefix: str, service: str) -> None:
        self._prefix, self._service = prefix, service

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ClientError):
            raise sfn._ExecutionError(*self._of_client_error(error)) from error
        if isinstance(error, RoleError):
            raise sfn._ExecutionError("States.Runtime", str(error)) from error
        if isinstance(error, BotoCoreError):
            raise sfn._ExecutionError(f"{self._prefix}.SdkClientException", str(error)) from error

    def _of_client_error(self, error: ClientError) -> tuple[str, str]:
        code = str(error.response["Error"]["Code"])
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        message = error.response["Error"].get("Message", "")
        name = code if code.endswith("Exception") else f"{code}Exception"
        if code.startswith("Throttling") and self._prefix in ("Glue", "StepFunctions"):
            name = f"{self._service}Exception"
        if "AccessDenied" in code or "AuthorizationError" in code:
            name = "AuthorizationErrorException" if self._prefix == "SNS" else f"{self._service}Exception"
        return (
            f"{self._prefix}.{name}",
            f"{message} (Service: {self._service}; Status Code: {status}; Error Code: {code})",
        )
