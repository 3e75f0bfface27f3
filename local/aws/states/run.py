"""An execution, as its states see it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import now_iso

from local.aws.settings import Settings
from local.aws.states.frame import Frame
from local.aws.states.history import History

Following = tuple[Any, str | None]


@dataclass(frozen=True)
class Run:
    """What stays the same throughout an execution: its record, definition and role as of its start, and its history."""

    settings: Settings
    record: dict[str, Any]
    definition: Mapping[str, Any]
    role_arn: str
    history: History

    def context(self, frame: Frame) -> dict[str, Any]:
        """The context object, with the variables where ministack's evaluation looks for them."""
        execution = {
            "Id": self.record["executionArn"],
            "Input": copy.deepcopy(self.record["parsedInput"]),
            "Name": self.record["name"],
            "RoleArn": self.role_arn,
            "StartTime": self.record["startDate"],
        }
        if self.record.get("redriveCount"):
            execution |= {"RedriveCount": self.record["redriveCount"], "RedriveTime": self.record["redriveDate"]}
        machine = self.record["stateMachineArn"]
        return {
            "QueryLanguage": self.definition.get("QueryLanguage", "JSONPath"),
            "Execution": execution,
            "StateMachine": {"Id": machine, "Name": machine.rsplit(":", 1)[-1]},
            "State": {"Name": frame.name, "EnteredTime": now_iso(), "RetryCount": 0},
            "variables": copy.deepcopy(frame.variables),
            **({"Map": {"Item": frame.item}} if frame.item is not None else {}),
        }
