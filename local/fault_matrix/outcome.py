"""What came of an execution, read back through the calls that work on a real account, and from the database."""

import gzip
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

import psycopg
from export_contracts.layout import SUMMARY_NAME, Layout, export_id

from local import observe
from local.compare import Difference, compare_export
from local.pipeline import ENVIRONMENT, STACK, Pipeline

ACTIVE = ("STARTING", "RUNNING", "STOPPING", "WAITING")
LEFTOVER_SECONDS = 60.0  # what is cleaned up after the end of an execution is cleaned up within this time
OPEN_TRANSACTIONS = """
SELECT application_name || ': ' || left(query, 80) FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Leftovers:
    """What nobody should find after an execution."""

    uploads: Sequence[str] = ()
    transactions: Sequence[str] = ()
    runs: Sequence[str] = ()

    @property
    def all(self) -> list[str]:
        """Return all of them, each with what it is."""
        return [
            *(f"incomplete upload of {key}" for key in self.uploads),
            *(f"open transaction {text}" for text in self.transactions),
            *(f"Glue run {run}" for run in self.runs),
        ]


@dataclass(frozen=True)
class Outcome:
    """An execution that has ended.

    Args:
        execution: as DescribeExecution gives it.
        states: the states that were entered, in order.
        glue_runs: as `observe.glue_runs` gives them, of this execution.
        summary: the newest summary that names this execution, if there is one.
        latest: the summary that latest.json names.
        latest_before: the same, before the execution.
        alerts: what was delivered about this execution: subject and message.
        differences: between the files that the summary lists and the database.
        leftovers: what is still there though it should not.
    """

    execution: Mapping[str, Any]
    states: Sequence[str]
    glue_runs: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any] | None
    latest: str | None
    latest_before: str | None
    alerts: Sequence[Mapping[str, str]]
    differences: Sequence[Difference | str]
    leftovers: Leftovers

    @property
    def status(self) -> str:
        """Return the status of the execution."""
        return str(self.execution["status"])

    @property
    def summary_status(self) -> str:
        """Return the status of the export: COMPLETE, INCOMPLETE, or none without a summary."""
        return str(self.summary["status"]) if self.summary else "none"

    @property
    def export_id(self) -> str:
        """Return the id of the export, which is the start time of the execution."""
        return export_id(self.started)

    @property
    def summary_key(self) -> str:
        """Return the key of its summary; later exports have greater ones."""
        return layout("any").summary_key(self.started)

    @property
    def started(self) -> datetime:
        """Return when the execution started, UTC."""
        moment: datetime = self.execution["startDate"]
        return moment.astimezone(UTC)


class Alerts:
    """Collects what arrives at the topic; what is about another execution is left out.

    Args:
        pipeline: whose topic.
        name: of the execution, which every alert has in its link.
    """

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self._sqs, self._queue, self._name = pipeline.client("sqs"), pipeline.alert_queue_url, name
        self.received: list[dict[str, str]] = []

    def wait(self, enough: Callable[[Sequence[Mapping[str, str]]], bool], seconds: float) -> list[dict[str, str]]:
        """Return what has arrived once that is enough, or once the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            arrived = observe.received_alerts(self._sqs, self._queue, wait_seconds=0)
            self.received += [each for each in arrived if self._name in each["message"]]
            if enough(self.received) or time.monotonic() > deadline:
                return self.received
            time.sleep(0.3)


def layout(bucket: str) -> Layout:
    """Return the keys of the pipeline's exports in a bucket."""
    return Layout(bucket, "exports", ENVIRONMENT)


def latest(pipeline: Pipeline) -> str | None:
    """Return the key of the summary that latest.json names, None when there is none."""
    s3, key = pipeline.client("s3"), layout(pipeline.bucket).latest_key
    if key not in _keys(s3, pipeline.bucket, key):
        return None
    pointer = json.load(s3.get_object(Bucket=pipeline.bucket, Key=key)["Body"])
    return str(pointer["summary_key"])


def collect(
    pipeline: Pipeline, execution: Mapping[str, Any], latest_before: str | None, alerts: Sequence[Mapping[str, str]]
) -> Outcome:
    """Look at everything that an execution has done, and wait a bounded time until it has cleaned up."""
    arn = execution["executionArn"]
    leftovers = _wait_for_cleanup(pipeline)
    summary = _summary_of(pipeline, arn)
    runs = observe.glue_runs(pipeline.client("glue"), STACK)
    began = execution["startDate"].timestamp()
    return Outcome(
        execution=execution,
        states=[state["state"] for state in observe.executed_states(pipeline.client("stepfunctions"), arn)],
        glue_runs=[run for run in runs if run["started"].timestamp() >= began],
        summary=summary,
        latest=latest(pipeline),
        latest_before=latest_before,
        alerts=alerts,
        differences=_differences(pipeline, summary),
        leftovers=leftovers,
    )


def _differences(pipeline: Pipeline, summary: Mapping[str, Any] | None) -> list[Difference | str]:
    if summary is None:
        return []
    s3 = pipeline.client("s3")

    def open_object(key: str) -> BinaryIO:
        return io.BytesIO(s3.get_object(Bucket=pipeline.bucket, Key=key)["Body"].read())

    try:
        return list(compare_export(pipeline.database_url, summary["details"], open_object))
    except Exception as error:  # whatever a damaged file makes of the comparison is a difference
        return [f"cannot be compared: {type(error).__name__}: {error}"]


def _summary_of(pipeline: Pipeline, arn: str) -> dict[str, Any] | None:
    s3 = pipeline.client("s3")
    root = layout(pipeline.bucket).root
    keys = [key for key in _keys(s3, pipeline.bucket, f"{root}/") if f"/{SUMMARY_NAME}" in key]
    for key in sorted(keys, reverse=True):
        body = s3.get_object(Bucket=pipeline.bucket, Key=key)["Body"].read()
        summary: dict[str, Any] = json.loads(gzip.decompress(body))
        if summary["execution_arn"] == arn:
            return summary
    return None


def _wait_for_cleanup(pipeline: Pipeline) -> Leftovers:
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while (found := _leftovers(pipeline)).all and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _leftovers(pipeline: Pipeline) -> Leftovers:
    uploads = pipeline.client("s3").list_multipart_uploads(Bucket=pipeline.bucket).get("Uploads", [])
    runs = observe.glue_runs(pipeline.client("glue"), STACK)
    with psycopg.connect(pipeline.database.url()) as connection:
        transactions = [str(row[0]) for row in connection.execute(OPEN_TRANSACTIONS)]
    return Leftovers(
        uploads=[upload["Key"] for upload in uploads],
        transactions=transactions,
        runs=[f"{run['run'][:12]} ({run['group']}) {run['state']}" for run in runs if run["state"] in ACTIVE],
    )


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
