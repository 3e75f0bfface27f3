"""What happened, read back through the same AWS calls that work on a real account."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.paths import StackPaths

IN_GLUE = frozenset(
    {"Export Table Groups", "Export Group", "Record Failed Group", "Retry Failed Groups", "Retry Group"}
)
"""the flow's Maps, and the states in them"""


def executed_states(stepfunctions: Any, execution_arn: str) -> list[dict[str, Any]]:
    """Return each state that was entered, in order: name, how often, seconds from first entry to last exit, and status.

    A state inside a Map counts once per iteration; one that was left by an error has the status FAILED.
    """
    states: dict[str, dict[str, Any]] = {}
    for event in _history(stepfunctions, execution_arn):
        entered, exited = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        if entered:
            state = states.setdefault(entered["name"], {"entered": 0, "exited": 0, "first": event["timestamp"]})
            state["entered"] += 1
        elif exited:
            states[exited["name"]].update(exited=states[exited["name"]]["exited"] + 1, last=event["timestamp"])
    return [_state(name, state) for name, state in states.items()]


def seconds_outside_glue(states: list[dict[str, Any]]) -> float:
    """Return how long the flow was not waiting for Glue: the seconds of all states but the Maps with what is in them.

    Args:
        states: as `executed_states` returns them.
    """
    return round(sum(state["seconds"] or 0.0 for state in states if state["state"] not in IN_GLUE), 3)


def glue_runs(glue: Any, job: str) -> list[dict[str, Any]]:
    """Return the job's runs in the order of their start: id, group, state, start, seconds, error."""
    pages = glue.get_paginator("get_job_runs").paginate(JobName=job)
    runs = sorted((run for page in pages for run in page["JobRuns"]), key=lambda run: run["StartedOn"])
    return [_glue_run(run) for run in runs]


def received_alerts(sqs: Any, queue_url: str, *, wait_seconds: int = 1) -> list[dict[str, str]]:
    """Take what has arrived at the topic, through the queue that was subscribed to it: subject and message."""
    alerts: list[dict[str, str]] = []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds).get(
        "Messages"
    ):
        for message in messages:
            envelope = json.loads(message["Body"])
            alerts.append({"subject": envelope.get("Subject") or "", "message": envelope["Message"]})
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return alerts


def mirror(s3: Any, bucket: str, prefix: str, folder: Path) -> list[str]:
    """Copy every object below `prefix` into `folder` and return the keys."""
    keys = [item["Key"] for page in _listing(s3, bucket, prefix) for item in page.get("Contents", [])]
    for key in keys:
        file = folder / bucket / key
        file.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(file))
    return keys


def summary_uri(execution: dict[str, Any]) -> str | None:
    """Return where an execution (as DescribeExecution gives it) wrote its summary, None when it did not say."""
    uri: str | None = json.loads(execution.get("output") or "{}").get("summary_uri")
    return uri


def read_summary(s3: Any, uri: str) -> dict[str, Any]:
    """Return the export summary at `s3://bucket/key`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    summary: dict[str, Any] = json.loads(gzip.decompress(body))
    return summary


def write_result(stack: StackPaths, result: dict[str, Any]) -> None:
    """Write what the demo printed, for scripts."""
    stack.result.write_text(json.dumps(result, indent=2, default=str) + "\n")


def _history(stepfunctions: Any, execution_arn: str) -> Iterator[dict[str, Any]]:
    for page in stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution_arn):
        yield from page["events"]


def _listing(s3: Any, bucket: str, prefix: str) -> Any:
    return s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)


def _state(name: str, state: dict[str, Any]) -> dict[str, Any]:
    seconds = (state["last"] - state["first"]).total_seconds() if "last" in state else None
    status = "SUCCEEDED" if state["exited"] == state["entered"] else "FAILED"
    return {"state": name, "times": state["entered"], "seconds": seconds, "status": status}


def _glue_run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": run["Id"],
        "group": run.get("Arguments", {}).get("--EXPORT_GROUP"),
        "state": run["JobRunState"],
        "started": run["StartedOn"],
        "seconds": run.get("ExecutionTime"),
        "error": run.get("ErrorMessage"),
    }
