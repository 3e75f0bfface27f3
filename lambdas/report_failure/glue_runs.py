"""The Glue runs of an export whose execution has ended: nobody waits for them any more."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from export_runtime.aws import aws_call
from export_runtime.text import one_line

from report_failure.event import FailedExecution

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobRunTypeDef

# AWS documented: the states of a Glue run. https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
_TO_STOP = frozenset({"STARTING", "RUNNING", "WAITING"})
_ACTIVE = _TO_STOP | {"STOPPING"}
# Some months of daily exports; Glue keeps runs for 90 days.
_NEWEST_RUNS = 1000
_PAGE = 200
_ADVICE = "Stop its runs in the Glue console."
_POLL_SECONDS = 5
# AWS documented: BatchStopJobRun takes 25 runs. https://docs.aws.amazon.com/glue/latest/webapi/API_BatchStopJobRun.html
_BATCH = 25

Sleep = Callable[[float], None]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Stopped:
    """Ids of the runs that were stopped, and of those that have not ended yet, with what is known of them."""

    stopped: tuple[str, ...] = ()
    still_active: tuple[str, ...] = ()


class GlueRuns:
    """The runs of one Glue job."""

    def __init__(
        self, client: "GlueClient", job: str, sleep: Sleep = time.sleep, clock: Clock = time.monotonic
    ) -> None:
        """Use a client that was made with ``CLIENT_CONFIG``."""
        self._client = client
        self._job = job
        self._sleep = sleep
        self._clock = clock

    def stop(self, execution: FailedExecution, patience_seconds: float) -> Stopped:
        """Stop the runs of an execution's export that are still active, and wait until they have ended.

        Args:
            execution: whose runs.
            patience_seconds: how long to wait; a run that is being stopped may still write.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        runs = self._active(execution)
        seen = {run["Id"] for run in runs}
        stopped = [run["Id"] for run in runs if run["JobRunState"] in _TO_STOP]
        refused = self._stop(stopped)
        deadline = self._clock() + patience_seconds  # by the clock: to look takes a while too
        while runs and self._clock() < deadline:
            self._sleep(_POLL_SECONDS)
            runs = [run for run in self._active(execution) if run["Id"] in seen]  # a redrive starts others
        active = tuple(f"{run['Id']}{refused.get(run['Id'], '')}" for run in runs)
        return Stopped(tuple(run for run in stopped if run not in refused), active)

    def _active(self, execution: FailedExecution) -> "list[JobRunTypeDef]":
        with aws_call(f"list the runs of Glue job {self._job}", _ADVICE):
            pages = self._client.get_paginator("get_job_runs").paginate(
                JobName=self._job, PaginationConfig={"MaxItems": _NEWEST_RUNS, "PageSize": _PAGE}
            )
            runs = [run for page in pages for run in page["JobRuns"]]
        return [run for run in runs if run["JobRunState"] in _ACTIVE and _belongs(run, execution)]

    def _stop(self, runs: list[str]) -> dict[str, str]:
        refused = {}
        for start in range(0, len(runs), _BATCH):
            with aws_call(f"stop runs of Glue job {self._job}", _ADVICE):
                answer = self._client.batch_stop_job_run(JobName=self._job, JobRunIds=runs[start : start + _BATCH])
            for error in answer.get("Errors", []):
                detail = error.get("ErrorDetail", {}).get("ErrorMessage", "no reason was given")
                refused[error["JobRunId"]] = f" (Glue did not stop it: {one_line(detail, 300)})"
        return refused


def _belongs(run: "JobRunTypeDef", execution: FailedExecution) -> bool:
    arguments = run.get("Arguments", {})
    # An execution that failed before it exported can have started in the same second as one that exports.
    owner = arguments.get("--EXECUTION_ARN", execution.arn)
    return arguments.get("--EXPORT_ID") == execution.export_id and owner == execution.arn
