"""Map (inline) and Parallel states: frames side by side. One that fails aborts the others."""

import copy
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any

from ministack.services import stepfunctions as sfn

from local.aws.states.frame import Frame
from local.aws.states.run import Following, Run
from local.aws.states.scope import Cancelled, Scope

# AWS documented: 40 iterations of an inline Map at the same time. https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
MAX_INLINE_CONCURRENCY = 40
Walk = Callable[[Run, Frame, Scope], Any]


def execute(
    run: Run, frame: Frame, scope: Scope, state: Mapping[str, Any], context: dict[str, Any], walk: Walk
) -> Following:
    """Execute a Map or Parallel state; after a redrive only what had not succeeded.

    Args:
        run: the execution.
        frame: that is in the state.
        scope: ends it early.
        state: its definition.
        context: the context object.
        walk: the engine's, for the frames inside.

    Raises:
        sfn._ExecutionError: of the iteration or branch that failed first.
        Cancelled: the scope was.
    """
    if frame.inner is None:
        frame.inner = _iterations(frame, state, context) if state["Type"] == "Map" else _branches(frame, state, context)
    details = {"length": len(frame.inner)} if state["Type"] == "Map" else {}
    run.history.add(frame, f"{state['Type']}StateStarted", "mapStateStarted" if details else "", details)
    try:
        _walk_all(frame, frame.inner, scope, _concurrency(frame, state, context), run, walk)
    except sfn._ExecutionError:
        run.history.add(frame, f"{state['Type']}StateFailed")
        raise
    run.history.add(frame, f"{state['Type']}StateSucceeded")
    return _output(frame, state, context, [inner.data for inner in frame.inner])


def _iterations(frame: Frame, state: Mapping[str, Any], context: dict[str, Any]) -> list[Frame]:
    processor = state.get("ItemProcessor") or state.get("Iterator") or {}
    if (processor.get("ProcessorConfig") or {}).get("Mode", "INLINE") != "INLINE":
        raise sfn._ExecutionError("States.Runtime", "The emulated Step Functions knows inline Maps only")
    frames = []
    for index, value in enumerate(_items(frame, state, context)):
        item = {"Index": index, "Value": value}
        data = _item_input(frame, state, {**context, "Map": {"Item": item}}, value)
        frames.append(frame.inside(processor, data, item))
    return frames


def _items(frame: Frame, state: Mapping[str, Any], context: dict[str, Any]) -> list[Any]:
    if "Items" in state and sfn._state_query_language(state, context) == "JSONata":
        items: Any = sfn._jsonata_state_field(state, "Items", "array", frame.data, context)
    else:
        effective = sfn._apply_input_path(state, frame.data, context)
        items = sfn._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, context)
    if not isinstance(items, list):
        raise sfn._ExecutionError("States.Runtime", f"The items of Map state '{frame.name}' are not an array")
    return items


def _item_input(frame: Frame, state: Mapping[str, Any], context: dict[str, Any], value: Any) -> Any:
    selector = state.get("ItemSelector") or state.get("Parameters")
    if not selector:
        return value
    if sfn._state_query_language(state, context) == "JSONata":
        return sfn._apply_jsonata_template(selector, frame.data, context)
    return sfn._resolve_params_obj(selector, sfn._apply_input_path(state, frame.data, context), context)


def _branches(frame: Frame, state: Mapping[str, Any], context: dict[str, Any]) -> list[Frame]:
    if sfn._state_query_language(state, context) == "JSONata":
        data = sfn._apply_jsonata_arguments(state, frame.data, context)
    else:
        data = sfn._apply_parameters(state, sfn._apply_input_path(state, frame.data, context), context)
    return [frame.inside(branch, data) for branch in state["Branches"]]


def _concurrency(frame: Frame, state: Mapping[str, Any], context: dict[str, Any]) -> int:
    limit = state.get("MaxConcurrency", 0)
    if isinstance(limit, str):
        limit = sfn._jsonata_state_field(state, "MaxConcurrency", "number", frame.data, context)
    return min(int(limit) or MAX_INLINE_CONCURRENCY, MAX_INLINE_CONCURRENCY)


def _walk_all(outer: Frame, frames: list[Frame], scope: Scope, concurrency: int, run: Run, walk: Walk) -> None:
    group = Scope(scope)
    failures: list[Exception] = []
    recording = threading.Lock()

    def walk_one(frame: Frame) -> None:
        index = frame.item["Index"] if frame.item else None
        try:
            group.check()
            frame.last_event = outer.last_event
            _record(run, frame, outer, "Started", index)
            walk(run, frame, group)
            _record(run, frame, outer, "Succeeded", index)
        except Cancelled:
            _record(run, frame, outer, "Aborted", index)
        except Exception as error:
            with recording:
                failures.append(error)
            _record(run, frame, outer, "Failed", index)
            group.cancel()

    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        wait([pool.submit(copy_context().run, walk_one, frame) for frame in frames if not frame.done])
    scope.check()
    if failures:
        raise failures[0]


def _record(run: Run, frame: Frame, outer: Frame, outcome: str, index: int | None) -> None:
    if index is not None:
        run.history.iteration(frame, outcome, outer.name, index)


def _output(frame: Frame, state: Mapping[str, Any], context: dict[str, Any], results: list[Any]) -> Following:
    following = sfn._next_or_end(state)
    if sfn._state_query_language(state, context) == "JSONata":
        output = sfn._apply_jsonata_output(state, frame.data, context, result=results, default=results)
        sfn._apply_state_assign(state, frame.data, context, result=results)
        return output, following
    output = sfn._apply_result_path(state, frame.data, copy.deepcopy(sfn._apply_result_selector(state, results)))
    return sfn._apply_output_path(state, output, context), following
