"""Executions of the state machine: started, and followed through their history."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from export_contracts.layout import export_id, started_at
from export_runtime.notice import command
from export_runtime.text import shown

from export_cli.aws import call, missing
from export_cli.errors import BusyError, InvalidOptionError, NotFoundError

_PLAN = "Plan Export"
_ADVICE = "Check that your credentials allow states:StartExecution, DescribeExecution and GetExecutionHistory on it."
_REDRIVE_ADVICE = (
    "Check that your credentials allow states:RedriveExecution, DescribeExecution and ListExecutions on it."
)
MISTAKES = (
    "InvalidExportInputError", "InvalidRestoreInputError", "NoSuchExportError", "NotRestorableError",
    "TableNotInDatabaseError",
)  # fmt: skip
"""errors of an input that no redrive cures"""
SAME_SECOND = "SameSecondError"
"""of the name of an export or a restore, which a redrive would have again"""
_RUNNING = ("RUNNING", "PENDING_REDRIVE")
_CLOCKS_APART = timedelta(seconds=1)


def is_restore(execution_arn: str) -> bool:
    """Say whether an execution restores, as the name of its state machine does."""
    return execution_arn.rpartition(":")[0].endswith("-db-restore")


def environment_of(execution_arn: str) -> str:
    """Return the environment of an execution, as the name of its state machine has it."""
    machine = execution_arn.split(":")[6]
    return machine.removesuffix("-db-restore").removesuffix("-metadata-export")


@dataclass(frozen=True)
class Step:
    """Something that happened: a state or a group of it began, ended or failed."""

    moment: datetime
    state: str
    group: str | None
    what: str
    detail: str = ""


@dataclass
class Follower:
    """Turns an execution's history, read bit by bit, into steps.

    An event names the event before it, and only a task's first event names its state and group: they are handed on.
    """

    client: Any
    execution_arn: str
    _seen: int = 0
    _states: dict[int, str] = field(default_factory=dict)
    _groups: dict[int, str] = field(default_factory=dict)
    _waits: bool = False

    def status(self) -> dict[str, Any]:
        """Return what DescribeExecution says.

        Raises:
            NotFoundError: there is no such execution.
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with call(f"look at execution {self.execution_arn}", _ADVICE):
            try:
                return dict(self.client.describe_execution(executionArn=self.execution_arn))
            except ClientError as error:
                if missing(error):
                    raise NotFoundError(f"There is no execution {self.execution_arn}.") from error
                raise

    def steps(self) -> Iterator[Step]:
        """Yield what has happened since the last call.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        for event in self._new_events():
            before = event.get("previousEventId", 0)
            self._states[event["id"]] = _entered(event) or self._states.get(before, "")
            group = _group(event) or self._groups.get(before)
            if group:
                self._groups[event["id"]] = group
            step = self._waiting(event) or _what(event)
            state = self._states[event["id"]]
            # While it waits, Plan Export looks again every minute: that is no news.
            if step and not (self._waits and state == _PLAN and step[0] != "failed"):
                yield Step(event["timestamp"].astimezone(UTC), state, group, *step)

    def skip(self) -> None:
        """Leave out what has happened so far; see ``steps`` for errors."""
        for _ in self.steps():
            pass
        self._waits = False

    def _waiting(self, event: Mapping[str, Any]) -> tuple[str, str] | None:
        if event["type"] != "WaitStateEntered" or self._waits:
            return None
        self._waits = True
        try:
            reason = json.loads(event["stateEnteredEventDetails"].get("input", ""))["reason"]
        except (ValueError, KeyError, TypeError):
            reason = ""
        return "waiting", str(reason)

    def _new_events(self) -> list[dict[str, Any]]:
        with call(f"read the history of execution {self.execution_arn}", _ADVICE):
            pages = self.client.get_paginator("get_execution_history").paginate(executionArn=self.execution_arn)
            events = [event for page in pages for event in page["events"] if event["id"] > self._seen]
        self._seen = max((event["id"] for event in events), default=self._seen)
        return events


def start(client: Any, machine_arn: str, name: str, execution_input: Mapping[str, Any]) -> str:
    """Start an execution and return its ARN.

    Raises:
        NotFoundError: there is no such state machine.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with call(f"start state machine {machine_arn}", _ADVICE):
        try:
            started = client.start_execution(stateMachineArn=machine_arn, name=name, input=json.dumps(execution_input))
        except ClientError as error:
            if missing(error):
                raise NotFoundError(f"There is no state machine {machine_arn}. Deploy the stack again.") from error
            raise
    return str(started["executionArn"])


def failed_execution(client: Any, machine_arn: str, identifier: str | None) -> str:
    """Return the ARN of an execution that can be redriven.

    Args:
        client: of Step Functions.
        machine_arn: of the state machine.
        identifier: of the export; None: the newest execution.

    Raises:
        NotFoundError: there is no such execution.
        BusyError: it is at work.
        InvalidOptionError: it has not failed, a redrive would fail in the same way, or AWS does not allow one.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with call(f"look at the executions of {machine_arn}", _REDRIVE_ADVICE):
        found = next(_executions(client, machine_arn, identifier), None)
        execution = client.describe_execution(executionArn=found["executionArn"]) if found else None
    if execution is None:
        of = f" of export {identifier}" if identifier else ""
        raise NotFoundError(f"There is no execution{of} of {machine_arn}. AWS keeps them for 90 days.")
    arn, status = str(execution["executionArn"]), execution["status"]
    what = "restore" if is_restore(arn) else "export"
    if status in _RUNNING:
        follow = command(f"export --execution {arn}", environment_of(arn), arn)
        raise BusyError(f"{arn} is at work. Follow it: {follow}")
    if status == "SUCCEEDED":
        which = "It" if identifier else f"The newest execution; the {what}"
        raise InvalidOptionError(f"{which} {export_id(_second(execution))} has succeeded: there is nothing to redrive.")
    if execution.get("error") in MISTAKES:
        raise InvalidOptionError(
            f"{arn} failed with {execution['error']}, and a redrive would have the same input. Start a new {what}."
        )
    if execution.get("error") == SAME_SECOND:
        raise InvalidOptionError(
            f"{arn} would overwrite the {what} of another execution, which began in the same second, and a redrive "
            f"would have the same name. Start a new {what}."
        )
    if execution.get("redriveStatus") == "NOT_REDRIVABLE":
        why = execution.get("redriveStatusReason", "no reason was given")
        raise InvalidOptionError(f"AWS does not redrive {arn}: {why}. Start a new {what}.")
    return arn


def redrive(client: Any, execution_arn: str) -> None:
    """Let an execution go on where it failed.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with call(f"redrive execution {execution_arn}", _REDRIVE_ADVICE):
        client.redrive_execution(executionArn=execution_arn)


def _executions(client: Any, machine_arn: str, identifier: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield the executions of a machine, newest first, or those of an export."""
    oldest = _start_of(identifier) if identifier else None
    for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine_arn):
        for execution in page["executions"]:
            started = _second(execution)
            if oldest and started < oldest - _CLOCKS_APART:
                return
            if oldest in (None, started):
                yield execution


def _start_of(identifier: str) -> datetime:
    try:
        return started_at(identifier)
    except ValueError as error:
        raise InvalidOptionError(
            f"{shown(identifier)} is no id of an export. Allowed is one such as 20261211T143022Z."
        ) from error


def _second(execution: Mapping[str, Any]) -> datetime:
    started: datetime = execution["startDate"]
    return started.astimezone(UTC).replace(microsecond=0)


def _entered(event: Mapping[str, Any]) -> str | None:
    name = event.get("stateEnteredEventDetails", {}).get("name")
    return name if name is None else str(name)


def _group(event: Mapping[str, Any]) -> str | None:
    """Return the table group whose Glue run a task starts."""
    scheduled = event.get("taskScheduledEventDetails", {})
    if scheduled.get("resourceType") != "glue":
        return None
    try:
        group = json.loads(scheduled.get("parameters", "{}"))["Arguments"]["--EXPORT_GROUP"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(group)


def _what(event: Mapping[str, Any]) -> tuple[str, str] | None:
    kind = event["type"]
    if kind == "TaskScheduled":
        return "started", ""
    if kind == "TaskSucceeded":
        return "succeeded", ""
    if kind in ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"):
        details = next((value for key, value in event.items() if key.endswith("EventDetails")), None)
        return "failed", _reason(details or {})
    return None


def _reason(details: Mapping[str, Any]) -> str:
    cause = str(details.get("cause") or "")
    try:
        read = json.loads(cause)
        cause = str(read.get("ErrorMessage") or read.get("errorMessage") or cause)
    except (ValueError, AttributeError):
        pass
    return f"{details.get('error', '')}: {cause}".strip(": ")
