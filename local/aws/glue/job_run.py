"""A job run: the record that GetJobRun answers with, and its way through the states."""

import hashlib
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

ACTIVE = ("STARTING", "RUNNING", "STOPPING")
DEFAULT_TIMEOUT_MINUTES = 480
LOG_GROUP = "/aws-glue/jobs"

Record = dict[str, Any]
_transition = threading.Lock()


def new(job: Mapping[str, Any], request: Mapping[str, Any]) -> Record:
    """The record of a run in state STARTING.

    Args:
        job: the job as GetJob answers.
        request: the body of StartJobRun.
    """
    now = time.time()
    record = {
        "Id": "jr_" + hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
        "Attempt": 0,
        "JobName": job["Name"],
        "JobMode": "SCRIPT",
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": dict(request.get("Arguments") or {}),
        "PredecessorRuns": [],
        "AllocatedCapacity": request.get("NumberOfWorkers") or job.get("NumberOfWorkers") or 2,
        "ExecutionTime": 0,
        "Timeout": request.get("Timeout") or job.get("Timeout") or DEFAULT_TIMEOUT_MINUTES,
        "MaxCapacity": float(request.get("NumberOfWorkers") or job.get("NumberOfWorkers") or 2),
        "WorkerType": request.get("WorkerType") or job.get("WorkerType"),
        "NumberOfWorkers": request.get("NumberOfWorkers") or job.get("NumberOfWorkers"),
        "SecurityConfiguration": job.get("SecurityConfiguration"),
        "LogGroupName": LOG_GROUP,
        "GlueVersion": job.get("GlueVersion"),
        "ExecutionClass": job.get("ExecutionClass") or "STANDARD",
    }
    return {name: value for name, value in record.items() if value not in (None, "")}


def advance(record: Record, state: str, *, only_from: tuple[str, ...] = ACTIVE) -> bool:
    """Move a run to another state; false when it is in none of `only_from` (it has ended, say)."""
    with _transition:
        if record["JobRunState"] not in only_from:
            return False
        record["LastModifiedOn"] = time.time()
        record["JobRunState"] = state
        return True


def finish(record: Record, state: str, message: str | None) -> None:
    """End a run. The state is written last, because that is what pollers look at."""
    now = time.time()
    if message:
        record["ErrorMessage"] = message
    record["CompletedOn"] = now
    record["ExecutionTime"] = round(now - record["StartedOn"])
    advance(record, state)
