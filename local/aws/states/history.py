"""The execution history, in the shapes of GetExecutionHistory.

AWS documented: the kinds of events of an execution's history, and their details.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

import json
import threading
from typing import Any

from ministack.core.responses import now_iso

from local.aws.states.frame import Frame


class History:
    """Writes events to an execution's record; Map iterations write at the same time.

    Args:
        events: the record's list of events, continued after a redrive.
    """

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events
        self._lock = threading.Lock()

    def add(self, frame: Frame, kind: str, details_name: str = "", details: dict[str, Any] | None = None) -> None:
        """Append an event that follows the frame's last one.

        Args:
            frame: where it happened.
            kind: type of the event, such as `TaskScheduled`.
            details_name: the member that holds the details, without `EventDetails`.
            details: the details.
        """
        with self._lock:
            event = {
                "id": len(self._events) + 1,
                "type": kind,
                "timestamp": now_iso(),
                "previousEventId": frame.last_event,
            }
            if details_name:
                event[f"{details_name}EventDetails"] = details or {}
            self._events.append(event)
            frame.last_event = event["id"]

    def entered(self, frame: Frame, kind: str) -> None:
        """A state begins."""
        self.add(frame, f"{kind}StateEntered", "stateEntered", {"name": frame.name, **_payload("input", frame.data)})

    def exited(self, frame: Frame, kind: str, output: Any) -> None:
        """A state ended with an output."""
        self.add(frame, f"{kind}StateExited", "stateExited", {"name": frame.name, **_payload("output", output)})

    def iteration(self, frame: Frame, outcome: str, state: str, index: int) -> None:
        """A Map iteration `Started`, `Succeeded`, `Failed` or `Aborted`."""
        self.add(frame, f"MapIteration{outcome}", f"mapIteration{outcome}", {"name": state, "index": index})


def _payload(name: str, value: Any) -> dict[str, Any]:
    return {name: json.dumps(value), f"{name}Details": {"truncated": False}}
