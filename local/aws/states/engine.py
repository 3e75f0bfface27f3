"""Walks a frame from state to state."""

import copy
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ministack.services import stepfunctions as sfn

from local.aws.states import concurrent, tasks
from local.aws.states.frame import Frame
from local.aws.states.limits import check_payload
from local.aws.states.retry import Retries, catch
from local.aws.states.run import Following, Run
from local.aws.states.scope import Scope, current


def walk(run: Run, frame: Frame, scope: Scope) -> Any:
    """Execute the states of a frame from where it is, and return the output of the last one.

    Raises:
        sfn._ExecutionError: a state failed. The frame stays where it was, for a redrive.
        Cancelled: the scope was.
    """
    while not frame.done:
        scope.check()
        _step(run, frame, scope)
    return frame.data


def _step(run: Run, frame: Frame, scope: Scope) -> None:
    if frame.name not in frame.states:
        raise sfn._ExecutionError("States.Runtime", f"State '{frame.name}' does not exist")
    state = frame.states[frame.name]
    kind = state["Type"]
    if not frame.entered:
        run.history.entered(frame, kind)
        frame.entered = True
    context = run.context(frame)
    current.set(scope)
    output, following = _execute(run, frame, scope, state, context)
    scope.check()
    check_payload(output, f"The state/task '{frame.name}' returned a result")
    check_payload(context["variables"], f"The state '{frame.name}' assigned variables")
    run.history.exited(frame, kind, output)
    frame.variables = context["variables"]
    frame.leave(following, output)


def _execute(run: Run, frame: Frame, scope: Scope, state: Mapping[str, Any], context: dict[str, Any]) -> Following:
    kind = state["Type"]
    if kind == "Fail":
        raise sfn._ExecutionError(*sfn._fail_state_error(state, frame.data, context))
    if kind == "Succeed":
        return _succeed(state, frame.data, context), None
    if kind == "Task":
        return _with_retries(run, frame, scope, state, context, lambda: _task(run, frame, scope, state, context))
    if kind in ("Map", "Parallel"):
        inner = partial(concurrent.execute, run, frame, scope, state, context, walk)
        return _with_retries(run, frame, scope, state, context, inner)
    handler: Callable[..., Following] = getattr(sfn, f"_execute_{kind.lower()}")  # Pass, Choice, Wait
    return handler(state, frame.data, context)


def _with_retries(
    run: Run,
    frame: Frame,
    scope: Scope,
    state: Mapping[str, Any],
    context: dict[str, Any],
    attempt: Callable[[], Following],
) -> Following:
    """Attempt a state under its Retry and Catch."""
    retries = Retries(state.get("Retry", []))
    variables = copy.deepcopy(context["variables"])
    while True:
        context["State"]["RetryCount"] = retries.count
        try:
            return attempt()
        except sfn._ExecutionError as error:
            context["variables"] = copy.deepcopy(variables)
            delay = retries.delay(error.error)
            if delay is None:
                return catch(state, frame.data, context, error)
            frame.inner = None  # every iteration again
            scope.sleep(delay * run.settings.wait_scale)


def _task(run: Run, frame: Frame, scope: Scope, state: Mapping[str, Any], context: dict[str, Any]) -> Following:
    jsonata = sfn._state_query_language(state, context) == "JSONata"
    if jsonata:
        arguments = sfn._apply_jsonata_arguments(state, frame.data, context)
    else:
        arguments = sfn._apply_parameters(state, sfn._apply_input_path(state, frame.data, context), context)
    check_payload(arguments, f"The state '{frame.name}' has arguments")
    result = _attempt(run, frame, scope, state, arguments)
    check_payload(result, f"The state/task '{frame.name}' returned a result")
    if jsonata:
        output = sfn._apply_jsonata_output(state, frame.data, context, result=result, default=result)
        sfn._apply_state_assign(state, frame.data, context, result=result)
    else:
        output = sfn._apply_result_path(state, frame.data, sfn._apply_result_selector(state, result))
        output = sfn._apply_output_path(state, output, context)
    return output, sfn._next_or_end(state)


def _attempt(run: Run, frame: Frame, scope: Scope, state: Mapping[str, Any], arguments: Any) -> Any:
    timeout = state.get("TimeoutSeconds")
    scaled = timeout * run.settings.timeout_scale if timeout is not None else None
    call = tasks.Call(run.settings, state["Resource"], arguments, run.role_arn, run.record["name"], scope, scaled)
    service, _, action = call.integration.partition(":")
    resource = {"resourceType": service, "resource": action or state["Resource"]}
    run.history.add(
        frame,
        "TaskScheduled",
        "taskScheduled",
        {**resource, "region": run.settings.region, "parameters": json.dumps(arguments)},
    )
    run.history.add(frame, "TaskStarted", "taskStarted", resource)
    try:
        result = tasks.perform(call)
    except sfn._ExecutionError as error:
        outcome = "TimedOut" if error.error == "States.Timeout" else "Failed"
        run.history.add(
            frame, f"Task{outcome}", f"task{outcome}", {**resource, "error": error.error, "cause": error.cause}
        )
        raise
    run.history.add(frame, "TaskSucceeded", "taskSucceeded", {**resource, "output": json.dumps(result)})
    return result


def _succeed(state: Mapping[str, Any], data: Any, context: dict[str, Any]) -> Any:
    if sfn._state_query_language(state, context) == "JSONata":
        return sfn._apply_jsonata_output(state, data, context, default=data)
    return sfn._apply_output_path(state, sfn._apply_input_path(state, data, context), context)
