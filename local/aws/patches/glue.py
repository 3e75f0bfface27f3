"""Glue: jobs run their scripts, and keep their ExecutionProperty.

AWS documented: a job has one run at a time unless MaxConcurrentRuns says more; another is an error.
https://docs.aws.amazon.com/glue/latest/webapi/API_ExecutionProperty.html

AWS documented: a job is of the standard execution class unless it says otherwise.
https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html
"""

from collections.abc import Callable
from typing import Any

from ministack.services import glue
from ministack.services.cloudformation import provisioners

from local.aws.glue import service
from local.aws.patches.replace import attribute, replace, wrap
from local.aws.settings import Settings

KEPT_JOB_FIELDS = (
    "ExecutionProperty",
    "ExecutionClass",
    "JobMode",
    "LogUri",
    "NotificationProperty",
    "MaintenanceWindow",
)


def apply(settings: Settings) -> None:
    """Patch Glue."""
    for store in ("_jobs", "_job_runs"):
        attribute(glue, store)
    replace(glue, "_start_job_run", service.start_job_run(settings))
    replace(glue, "_get_job_run", service.get_job_run)
    replace(glue, "_get_job_runs", service.get_job_runs)
    replace(glue, "_batch_stop_job_run", service.batch_stop_job_run)
    wrap(glue, "_create_job", _create_job)
    wrap(glue, "_update_job", _update_job)
    attribute(provisioners, "_GLUE_JOB_DEFAULTS").update(
        {"ExecutionProperty": {"MaxConcurrentRuns": 1}, "ExecutionClass": "STANDARD"}
    )


def _create_job(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_job(data: dict[str, Any]) -> Any:
        response = original(data)
        if response[0] == 200:
            job = glue._jobs[data["Name"]]
            job["ExecutionProperty"] = {"MaxConcurrentRuns": 1}
            job.update({name: data[name] for name in KEPT_JOB_FIELDS if data.get(name)})
        return response

    return create_job


def _update_job(original: Callable[..., Any]) -> Callable[..., Any]:
    def update_job(data: dict[str, Any]) -> Any:
        response = original(data)
        if response[0] == 200:
            update = data.get("JobUpdate") or {}
            glue._jobs[data["JobName"]].update({name: update[name] for name in KEPT_JOB_FIELDS if update.get(name)})
        return response

    return update_job
