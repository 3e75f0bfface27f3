"""What EventBridge passes when an execution has ended without success.

AWS documented: the fields of a status change event, and that input and output may be left out of it.
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from export_contracts.layout import export_id
from export_runtime.errors import InvalidEventError
from export_runtime.text import shown

FAILED = "FAILED"
TIMED_OUT = "TIMED_OUT"
ABORTED = "ABORTED"


@dataclass(frozen=True)
class FailedExecution:
    """An execution and how it ended. ``error`` and ``cause`` are foreign text; ``started`` is UTC."""

    arn: str
    status: str
    started: datetime
    error: str
    cause: str
    redrives: int

    @property
    def is_restore(self) -> bool:
        """Whether it was to restore an export, not to make one: the machines are known by their names."""
        return self.arn.rpartition(":")[0].endswith("-db-restore")

    @property
    def is_drill(self) -> bool:
        """Whether it was to try an export."""
        return self.arn.rpartition(":")[0].endswith("-db-drill")

    @property
    def export_id(self) -> str:
        """Id of the export that it was to make; Plan Export derives the same."""
        return export_id(self.started)


def parse_event(event: Mapping[str, Any]) -> FailedExecution:
    """Return the execution that EventBridge tells of.

    Raises:
        InvalidEventError: it is not an execution that ended without success.
    """
    try:
        detail = event["detail"]
        if detail["status"] not in (FAILED, TIMED_OUT, ABORTED):
            raise InvalidEventError(f"Report Failure got an execution with status {shown(detail['status'])}.")
        return FailedExecution(
            arn=str(detail["executionArn"]),
            status=detail["status"],
            started=datetime.fromtimestamp(int(detail["startDate"]) // 1000, UTC),
            error=str(detail.get("error") or ""),
            cause=str(detail.get("cause") or ""),
            redrives=int(detail.get("redriveCount") or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidEventError(f"Report Failure got something other than a status change ({error!r}).") from error
