"""How Glue passes a job's arguments to its script.

AWS documented: a job's default arguments are overridden by those of the run; JOB_NAME and JOB_RUN_ID are there too.
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
"""

from collections.abc import Mapping
from typing import Any


def effective(job: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    """Default arguments, overridden by the run's, overridden by the job's non-overridable ones."""
    return {
        **(job.get("DefaultArguments") or {}),
        **(run.get("Arguments") or {}),
        **(job.get("NonOverridableArguments") or {}),
    }


def command_line(arguments: Mapping[str, str], job_name: str, run_id: str) -> list[str]:
    """What the script finds in `sys.argv[1:]`: everything, the arguments meant for Glue itself included."""
    own = {"--JOB_NAME": job_name, "--JOB_RUN_ID": run_id, "--job-bookmark-option": "job-bookmark-disable"}
    return [word for name, value in {**own, **arguments}.items() for word in ([name, value] if value != "" else [name])]


def locations(arguments: Mapping[str, str], name: str) -> list[str]:
    """The comma-separated locations in an argument such as `--extra-py-files`."""
    return [location.strip() for location in arguments.get(name, "").split(",") if location.strip()]
