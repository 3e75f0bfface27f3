"""Step Functions: executions run in `local/aws/states`, in the machine's role; names are idempotent; redrive exists.

AWS documented: names of executions, and what StartExecution answers to the same name.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html

AWS documented: RedriveExecution, and what DescribeExecution tells of it.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html

AWS assumed: StopExecution refuses an execution that has succeeded, failed or timed out with a ValidationException.

AWS documented: a definition is validated when its state machine is made, and refused as InvalidDefinition.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
"""

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import stepfunctions as sfn
from ministack.services.cloudformation import provisioners

from local.aws.patches.replace import attribute, replace, wrap, wrap_entry
from local.aws.settings import Settings
from local.aws.states import definition, lifecycle, observed, status_event
from local.aws.states.limits import MAX_NAME_LENGTH, MAX_PAYLOAD_BYTES
from local.aws.states.scope import sleeper

USED = (
    "_executions",
    "_state_machines",
    "_resolve_state_machine_arn",
    "_ExecutionError",
    "_fail_state_error",
    "_execute_pass",
    "_execute_choice",
    "_execute_wait",
    "_state_query_language",
    "_apply_jsonata_arguments",
    "_apply_jsonata_output",
    "_apply_jsonata_template",
    "_apply_parameters",
    "_apply_input_path",
    "_apply_output_path",
    "_apply_result_path",
    "_apply_result_selector",
    "_apply_catcher",
    "_jsonata_state_field",
    "_resolve_params_obj",
    "_resolve_path_or_ctx",
    "_next_or_end",
    "_invoke_resource",
    "_finalize_response",
)
MACHINE = "AWS::StepFunctions::StateMachine"
_FORBIDDEN_IN_NAMES = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]')


def apply(settings: Settings) -> None:
    """Patch Step Functions."""
    for name in USED:
        attribute(sfn, name)
    replace(sfn, "_run_execution", lambda arn: lifecycle.begin(settings, arn))
    replace(sfn, "_emit_execution_status_event", status_event.emit)
    replace(sfn, "_stop_execution", _stop_execution)
    replace(sfn, "_apply_state_assign", _apply_state_assign)
    replace(sfn, "_scaled_sleep", sleeper(settings.wait_scale))
    wrap(sfn, "_start_execution", _start_execution)
    wrap(sfn, "_describe_execution", _describe_execution)
    wrap(sfn, "_create_state_machine", _refuse_mistakes)
    wrap(sfn, "_update_state_machine", _refuse_mistakes)
    wrap(provisioners, "_sfn_definition", _refuse_mistakes_in_template)
    if settings.auth:
        wrap(sfn, "_create_state_machine", _refuse_without_logs)
        wrap(sfn, "_update_state_machine", _refuse_without_logs)
        wrap_entry(provisioners, "_RESOURCE_HANDLERS", MACHINE, _refuse_without_logs_in_template)
    wrap(sfn, "handle_request", _with_redrive)


def _apply_state_assign(state: Any, data: Any, context: Any, result: Any = None, error_output: Any = None) -> None:
    """Stock ministack lets a variable see those assigned beside it.

    AWS documented: an expression in Assign sees the values before the state. https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
    """
    if context is None or sfn._state_query_language(state, context) != "JSONata" or not state.get("Assign"):
        return
    assigned = sfn._apply_jsonata_template(state["Assign"], data, context, result=result, error_output=error_output)
    context.setdefault("variables", {}).update(assigned)


def _start_execution(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(data: dict[str, Any]) -> Any:
        refusal = _refusal(data)
        if refusal is not None:
            return error_response_json(*refusal, 400)
        running = _same_execution(data)
        if running is not None:
            return json_response({"executionArn": running["executionArn"], "startDate": running["startDate"]})
        return original(data)

    return start


def _refusal(data: dict[str, Any]) -> tuple[str, str] | None:
    name, text = data.get("name"), data.get("input", "{}")
    if name is not None and (not 0 < len(name) <= MAX_NAME_LENGTH or _FORBIDDEN_IN_NAMES.search(name)):
        return "InvalidName", f"Invalid Name: '{name}'"
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        return "ValidationException", f"input must have at most {MAX_PAYLOAD_BYTES} bytes"
    try:
        json.loads(text)
    except ValueError as error:
        return "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
    return None


def _same_execution(data: dict[str, Any]) -> dict[str, Any] | None:
    """The running execution with this name and input, which StartExecution answers with again."""
    machine = sfn._state_machines.get(sfn._resolve_state_machine_arn(data.get("stateMachineArn", "")) or "")
    if machine is None or not data.get("name"):
        return None
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine['name']}:{data['name']}"
    record = sfn._executions.get(arn)
    same = record is not None and record["status"] == "RUNNING" and record["input"] == data.get("input", "{}")
    return record if same else None


def _stop_execution(data: dict[str, Any]) -> Any:
    record = sfn._executions.get(data.get("executionArn"))
    if record is None:
        return _does_not_exist(data)
    if (
        not lifecycle.abort(record["executionArn"], data.get("error"), data.get("cause"))
        and record["status"] != "ABORTED"
    ):
        return error_response_json("ValidationException", "Execution is not running", 400)
    return json_response({"stopDate": record["stopDate"]})


def _describe_execution(original: Callable[..., Any]) -> Callable[..., Any]:
    def describe(data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        record = sfn._executions.get(data.get("executionArn"))
        if record is None:
            return status, headers, body
        reason = lifecycle.why_not_redrivable(record)
        redrive = {
            "redriveCount": record.get("redriveCount", 0),
            "redriveDate": record.get("redriveDate"),
            "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE",
            "redriveStatusReason": reason,
        }
        answer = {**json.loads(body), **redrive}
        return json_response({name: value for name, value in answer.items() if value is not None})

    return describe


def _refuse_mistakes(original: Callable[..., Any]) -> Callable[..., Any]:
    def check(data: dict[str, Any]) -> Any:
        mistake = definition.problem(data["definition"]) if "definition" in data else None
        return error_response_json("InvalidDefinition", mistake, 400) if mistake else original(data)

    return check


def _refuse_mistakes_in_template(original: Callable[..., str]) -> Callable[..., str]:
    def definition_of(props: dict[str, Any]) -> str:
        text = original(props)
        mistake = definition.problem(text) or sfn._validate_definition_jsonata(text)
        if mistake:
            raise ValueError(f"AWS::StepFunctions::StateMachine: InvalidDefinition: {mistake}")
        return text

    return definition_of


def _refuse_without_logs(original: Callable[..., Any]) -> Callable[..., Any]:
    def check(data: dict[str, Any]) -> Any:
        machine = sfn._state_machines.get(data.get("stateMachineArn", "")) or {}
        role, logs = (data.get(name) or machine.get(name) for name in ("roleArn", "loggingConfiguration"))
        refusal = observed.why_no_logs(role or "", logs or {})
        return error_response_json("AccessDeniedException", refusal, 400) if refusal else original(data)

    return check


def _refuse_without_logs_in_template(handlers: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Stock ministack makes a template's machine without CreateStateMachine, and forgets that it is traced."""

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        refusal = observed.why_no_logs(properties.get("RoleArn", ""), properties.get("LoggingConfiguration") or {})
        if refusal:
            raise ValueError(f"{MACHINE}: AccessDeniedException: {refusal}")
        arn, attributes = handlers["create"](logical_id, properties, stack)
        sfn._state_machines[arn]["tracingConfiguration"] = properties.get("TracingConfiguration") or {}
        return arn, attributes

    return {**handlers, "create": create}


def _with_redrive(original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return sfn._finalize_response(_redrive_execution(json.loads(body)))
        return await original(method, path, headers, body, query)

    return handle_request


def _redrive_execution(data: dict[str, Any]) -> Any:
    record = sfn._executions.get(data.get("executionArn"))
    if record is None:
        return _does_not_exist(data)
    reason = lifecycle.why_not_redrivable(record)
    if reason:
        return error_response_json("ExecutionNotRedrivable", reason, 400)
    lifecycle.redrive(record["executionArn"])
    return json_response({"redriveDate": record["redriveDate"]})


def _does_not_exist(data: dict[str, Any]) -> Any:
    return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{data.get('executionArn')}'", 400)
