"""An execution from start to end: run, time out, stop, redrive, and a status event at every change.

AWS documented: a redrive runs again what had not succeeded, of a Map only those iterations.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html

AWS seen: an execution that has timed out has neither error nor cause. https://github.com/floci-io/floci/issues/2733
"""

import json
import logging
import threading
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import stepfunctions as sfn

from local.aws.settings import Settings
from local.aws.states import observed, status_event
from local.aws.states.engine import walk
from local.aws.states.frame import Frame
from local.aws.states.history import History
from local.aws.states.run import Run
from local.aws.states.scope import Cancelled, Scope

logger = logging.getLogger("states.lifecycle")
REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass
class Execution:
    """An execution that this process knows how to continue."""

    run: Run
    frame: Frame
    scope: Scope


_executions: dict[str, Execution] = {}  # by ARN
_ending = threading.Lock()


def begin(settings: Settings, arn: str) -> None:
    """Run an execution whose record ministack has made, in this thread, to its end."""
    record = sfn._executions[arn]
    machine = sfn._state_machines[record["stateMachineArn"]]
    record["parsedInput"] = json.loads(record["input"])
    definition = json.loads(machine["definition"])  # as it is now: an update does not change a running execution
    run = Run(settings, record, definition, machine["roleArn"], History(record["events"]))
    frame = Frame(definition["States"], definition["StartAt"], record["parsedInput"], last_event=1)
    _executions[arn] = Execution(run, frame, Scope())
    _walk(_executions[arn])


def redrive(arn: str) -> None:
    """Continue a failed execution from the states that did not succeed, in a thread of its own."""
    execution = _executions[arn]
    execution.scope = Scope()
    record = execution.run.record
    record.update(status="RUNNING", redriveCount=record.get("redriveCount", 0) + 1, redriveDate=now_iso())
    record.update(stopDate=None, output=None, error=None, cause=None)
    execution.run.history.add(
        execution.frame, "ExecutionRedriven", "executionRedriven", {"redriveCount": record["redriveCount"]}
    )
    status_event.emit(record)
    threading.Thread(target=copy_context().run, args=(_walk, execution), daemon=True).start()


def abort(arn: str, error: str | None, cause: str | None) -> bool:
    """Stop a running execution and the Glue runs that it waits for; false when it is not running."""
    record = sfn._executions[arn]
    return _end(record, "ABORTED", "executionAborted", {"error": error, "cause": cause})


def why_not_redrivable(record: dict[str, Any]) -> str | None:
    """The reason why an execution cannot be redriven, or None."""
    if record["status"] not in REDRIVABLE:
        return f"Execution is {record['status']} and cannot be redriven"
    if record["executionArn"] not in _executions:
        return "Execution was started before the emulator was and cannot be redriven"
    return None


def _walk(execution: Execution) -> None:
    run, record = execution.run, execution.run.record
    timer = _start_timer(run)
    try:
        output = json.dumps(walk(run, execution.frame, execution.scope))
    except Cancelled:
        return  # whoever cancelled has recorded why
    except sfn._ExecutionError as error:
        _end(record, "FAILED", "executionFailed", {"error": error.error, "cause": error.cause})
    except Exception as error:
        logger.exception("Execution %s", record["executionArn"])
        _end(
            record,
            "FAILED",
            "executionFailed",
            {"error": "States.Runtime", "cause": f"{type(error).__name__}: {error}"},
        )
    else:
        _end(record, "SUCCEEDED", "executionSucceeded", {"output": output})
    finally:
        if timer is not None:
            timer.cancel()


def _start_timer(run: Run) -> threading.Timer | None:
    seconds = run.definition.get("TimeoutSeconds")
    if seconds is None:
        return None
    arguments = (_end, run.record, "TIMED_OUT", "executionTimedOut", {})
    timer = threading.Timer(seconds * run.settings.timeout_scale, copy_context().run, arguments)
    timer.daemon = True
    timer.start()
    return timer


def _end(record: dict[str, Any], status: str, event: str, details: dict[str, Any]) -> bool:
    """End an execution once, and everything that still runs in it."""
    with _ending:
        if record["status"] != "RUNNING":
            return False
        record.update(stopDate=now_iso(), **details)
        execution = _executions.get(record["executionArn"])
        if execution is not None:
            present = {name: value for name, value in details.items() if value is not None}
            execution.run.history.add(execution.frame, event[0].upper() + event[1:], event, present)
            execution.scope.cancel()
        record["status"] = status  # last: pollers look at it
    if execution is not None and execution.run.settings.auth:
        observed.trace(record)
    status_event.emit(record)
    return True
