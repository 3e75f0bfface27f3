"""The Glue runs of the export's other groups: one that was killed cannot announce that it needs no snapshot."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from metadata_export.log import warning

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

# https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
ENDED_WITHOUT_SUCCESS = frozenset({"ERROR", "EXPIRED", "FAILED", "STOPPED", "TIMEOUT"})
LATEST_RUNS = 100

EndedGroups = Callable[[], frozenset[str]]
"""groups of this export whose run has ended without success"""


def ended_groups(client: "GlueClient", job_name: str, export_id: str) -> frozenset[str]:
    """Return the groups of an export whose newest run has ended without success.

    Such a group is tried again only after all its siblings have ended: nobody needs to wait for it. When Glue does not
    answer, nobody is taken for dead: the caller's own bound still holds.

    Args:
        job_name: as Glue passes it; empty outside Glue, where there are no runs to look at.
        export_id: only runs with this `--EXPORT_ID` count.
    """
    if not job_name:
        return frozenset()
    try:
        runs = client.get_job_runs(JobName=job_name, MaxResults=LATEST_RUNS)["JobRuns"]
    except (ClientError, BotoCoreError) as error:
        warning(f"cannot look at the runs of {job_name}, so a killed one is waited for: {error}")
        return frozenset()
    newest: dict[str, str] = {}
    for run in sorted(runs, key=lambda run: run["StartedOn"]):
        arguments = run.get("Arguments", {})
        if arguments.get("--EXPORT_ID") == export_id:
            newest[arguments.get("--EXPORT_GROUP", "")] = run["JobRunState"]
    return frozenset(group for group, state in newest.items() if state in ENDED_WITHOUT_SUCCESS)
