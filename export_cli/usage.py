"""What an export used, from its own records: Glue runs, history of the execution, summary."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from export_contracts.summary import Summary

from export_cli.aws import Aws, call, missing

# AWS documented: the DPUs of each worker type. https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
DPUS = {
    "Standard": 1.0,
    "G.025X": 0.25,
    "G.1X": 1.0,
    "G.2X": 2.0,
    "G.4X": 4.0,
    "G.8X": 8.0,
    "G.12X": 12.0,
    "G.16X": 16.0,
}
MINIMUM_SECONDS = 60  # Glue bills seconds, and a minute at least
_MEMORY_GB = 0.25
_CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True)
class GlueRun:
    """A Glue run of the export; ``dpu_seconds`` as it is billed."""

    group: str
    run_id: str
    state: str
    seconds: int
    worker_type: str
    workers: int
    dpu_seconds: float


@dataclass(frozen=True)
class Usage:
    """What was used. ``transitions`` is None when the execution's history is gone (after 90 days)."""

    runs: tuple[GlueRun, ...]
    transitions: int | None
    lambda_requests: int
    lambda_gb_seconds: float
    puts: int
    gets: int


def read_usage(aws: Aws, job: str, summary: Summary) -> Usage:
    """Return what an export used.

    Args:
        aws: the account.
        job: name of the Glue job.
        summary: of the export.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    runs = _glue_runs(aws, job, summary.export_id, summary.started)
    events = _history(aws, summary.execution_arn)
    requests, seconds = _lambda_use(events)
    puts, gets = _requests(summary)
    transitions = sum("stateEnteredEventDetails" in event for event in events) if events else None
    return Usage(runs, transitions, requests, seconds * _MEMORY_GB, puts, gets)


def _glue_runs(aws: Aws, job: str, export_id: str, started: datetime) -> tuple[GlueRun, ...]:
    found: list[Mapping[str, Any]] = []
    with call(f"look at the runs of Glue job {job}"):
        try:
            for page in aws.client("glue").get_paginator("get_job_runs").paginate(JobName=job):
                runs = page["JobRuns"]
                found += [run for run in runs if run.get("Arguments", {}).get("--EXPORT_ID") == export_id]
                # Newest first: what follows is older still.
                if runs and runs[-1]["StartedOn"].astimezone(UTC) < started - _CLOCKS_APART:
                    break
        except ClientError as error:
            if not missing(error):  # the stack may be gone: its exports stay
                raise
    return tuple(_glue_run(run) for run in reversed(found))


def _glue_run(run: Mapping[str, Any]) -> GlueRun:
    seconds = int(run.get("ExecutionTime") or 0)
    kind, workers = str(run.get("WorkerType") or "G.1X"), int(run.get("NumberOfWorkers") or 2)
    billed = run.get("DPUSeconds") or max(seconds, MINIMUM_SECONDS if seconds else 0) * workers * DPUS.get(kind, 1.0)
    group = str(run.get("Arguments", {}).get("--EXPORT_GROUP", "unknown"))
    return GlueRun(group, str(run["Id"]), str(run["JobRunState"]), seconds, kind, workers, float(billed))


def _history(aws: Aws, execution_arn: str) -> list[Mapping[str, Any]]:
    with call(f"read the history of execution {execution_arn}"):
        try:
            pages = (
                aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution_arn)
            )
            return [event for page in pages for event in page["events"]]
        except ClientError as error:
            if missing(error):
                return []
            raise


def _lambda_use(events: list[Mapping[str, Any]]) -> tuple[int, float]:
    """Return calls and seconds: from starting a task to its end, which is a little more than what is billed."""
    began: dict[int, datetime] = {}
    requests, seconds = 0, 0.0
    for event in events:
        if event.get("taskScheduledEventDetails", {}).get("resourceType") == "lambda":
            requests += 1
            began[event["id"]] = event["timestamp"]
        elif (before := event.get("previousEventId")) in began:
            moment = began.pop(before)
            if event["type"] in ("TaskSucceeded", "TaskFailed", "TaskTimedOut"):
                seconds += (event["timestamp"] - moment).total_seconds()
            else:
                began[event["id"]] = moment
    return requests, seconds


def _requests(summary: Summary) -> tuple[int, int]:
    """Return writing and reading requests to S3: parts and their frame, manifests, claims, summary, report, looks."""
    details = summary.details.values()
    groups = len({entry.group for entry in details})
    # A multipart upload is begun and completed besides its parts.
    parts = sum(len(entry.part_sizes) + 2 * ("-" in entry.checksum_sha256) for entry in details)
    return parts + 2 * groups + 4, len(details) + 3 * groups + 60
