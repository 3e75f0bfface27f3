"""Glue's API for job runs: StartJobRun, GetJobRun, GetJobRuns, BatchStopJobRun."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import glue

from local.aws.glue import job_run, process, runner
from local.aws.settings import Settings

Request = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
_starting = threading.Lock()


def start_job_run(settings: Settings) -> Callable[[Request], Response]:
    """StartJobRun for an emulator with these settings."""

    def handler(request: Request) -> Response:
        name = request.get("JobName", "")
        job = glue._jobs.get(name)
        if not job:
            return _error("EntityNotFoundException", f"Failed to start job run due to missing metadata: job {name}")
        with _starting:
            runs = glue._job_runs.setdefault(name, [])
            limit = (job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1)
            if sum(run["JobRunState"] in job_run.ACTIVE for run in runs) >= int(limit):
                return _error("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
            record = job_run.new(job, request)
            runs.insert(0, record)  # newest first, as GetJobRuns answers
        task = runner.Task(settings, dict(job), record)
        context = contextvars.copy_context()  # account and region of the caller
        threading.Thread(target=context.run, args=(runner.run, task), daemon=True, name=record["Id"]).start()
        return json_response({"JobRunId": record["Id"]})

    return handler


def get_job_run(request: Request) -> Response:
    """GetJobRun."""
    record = _find(request.get("JobName", ""), request.get("RunId", ""))
    if record is None:
        return _error(
            "EntityNotFoundException", f"Job run {request.get('RunId')} of {request.get('JobName')} not found"
        )
    return json_response({"JobRun": record})


def get_job_runs(request: Request) -> Response:
    """GetJobRuns, newest first."""
    name = request.get("JobName", "")
    if name not in glue._jobs:
        return _error("EntityNotFoundException", f"Job {name} not found")
    runs = glue._job_runs.get(name, [])
    first = int(request.get("NextToken") or 0)
    last = first + int(request.get("MaxResults") or 200)
    return json_response({"JobRuns": runs[first:last], **({"NextToken": str(last)} if last < len(runs) else {})})


def batch_stop_job_run(request: Request) -> Response:
    """BatchStopJobRun: kills the process group of each run."""
    name, stopped, errors = request.get("JobName", ""), [], []
    for run_id in request.get("JobRunIds", []):
        record = _find(name, run_id)
        if record is not None and job_run.advance(record, "STOPPING", only_from=("STARTING", "RUNNING")):
            process.stop(run_id)
            stopped.append({"JobName": name, "JobRunId": run_id})
        else:
            state = f"is in state {record['JobRunState']}" if record else "not found"
            detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": f"Job run {run_id} {state}"}
            errors.append({"JobName": name, "JobRunId": run_id, "ErrorDetail": detail})
    return json_response({"SuccessfulSubmissions": stopped, "Errors": errors})


def _find(name: str, run_id: str) -> job_run.Record | None:
    return next((run for run in glue._job_runs.get(name, []) if run["Id"] == run_id), None)


def _error(code: str, message: str) -> Response:
    response: Response = error_response_json(code, message, 400)
    return response
