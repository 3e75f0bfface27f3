"""The event "Step Functions Execution Status Change" on the default bus.

AWS documented: the fields of a status change event, what is left out when it is long; delivery is best effort.
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
import logging
from datetime import datetime
from typing import Any

from ministack.services import eventbridge

from local.aws.states.limits import MAX_PAYLOAD_BYTES

MAX_INCLUDED_BYTES = MAX_PAYLOAD_BYTES - 8 * 1024
REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")

logger = logging.getLogger("states.events")


def emit(record: dict[str, Any]) -> None:
    """Publish the status of an execution. A failure is logged."""
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(_detail(record)),
        "Resources": [record["executionArn"]],
    }
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        logger.exception("No status event for %s", record["executionArn"])


def _detail(record: dict[str, Any]) -> dict[str, Any]:
    status = record["status"]
    redrivable = status in REDRIVABLE
    payloads = {**_payload("input", record["input"]), **_payload("output", record.get("output"))}
    return {
        **{name: record[name] for name in ("executionArn", "stateMachineArn", "name", "status")},
        "startDate": _milliseconds(record["startDate"]),
        "stopDate": _milliseconds(record.get("stopDate")),
        **payloads,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": record.get("redriveCount", 0),
        "redriveDate": _milliseconds(record.get("redriveDate")),
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
        "redriveStatusReason": None if redrivable else f"Execution is {status} and cannot be redriven",
        "error": record.get("error"),
        "cause": record.get("cause"),
    }


def _payload(name: str, value: str | None) -> dict[str, Any]:
    if value is None:
        return {name: None, f"{name}Details": None}
    included = len(json.dumps(value)) <= MAX_INCLUDED_BYTES
    return {name: value if included else None, f"{name}Details": {"included": included}}


def _milliseconds(moment: str | None) -> int | None:
    return int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else None
