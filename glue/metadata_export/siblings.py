"""The other Glue runs of the export, of other groups or of the same one, which cannot speak for themselves."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from metadata_export.errors import OtherExportError
from metadata_export.log import info, warning
from metadata_export.request import GroupRun

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobRunTypeDef

# AWS documented: the states of a Glue run. https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
ACTIVE = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
ENDED_WITHOUT_SUCCESS = frozenset({"ERROR", "EXPIRED", "FAILED", "STOPPED", "TIMEOUT"})
LATEST_RUNS = 100
EARLIER_RUN_SECONDS = 900.0
POLL_SECONDS = 5.0

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


def wait_for_earlier_run(
    client: "GlueClient", job_name: str, own: GroupRun, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Wait until no run of the same group of this export that was started before this one is active.

    There is one when the answer to its start was lost, so that another was started, or when nobody could stop it before
    a redrive. It writes into the same keys, perhaps after what this run writes there has been verified. When it has
    ended, what it has delivered is kept. If Glue does not answer, there is taken to be none.

    Args:
        job_name: as Glue passes it; empty outside Glue, where there are no runs to look at.

    Raises:
        OtherExportError: it does not end within a quarter of an hour.
    """
    waited = 0.0
    while earlier := _earlier_runs(client, job_name, own):
        if waited >= EARLIER_RUN_SECONDS:
            raise OtherExportError(
                f"an earlier run of the group {own.group} of this export, {earlier[0]}, is still active: stop it "
                "in the Glue console (Job run monitoring), then redrive the execution"
            )
        info(f"waiting for the earlier run {earlier[0]} of this group to end", earlier_run=earlier[0])
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def _earlier_runs(client: "GlueClient", job_name: str, own: GroupRun) -> list[str]:
    if not job_name:
        return []
    try:
        runs = client.get_job_runs(JobName=job_name, MaxResults=LATEST_RUNS)["JobRuns"]
    except (ClientError, BotoCoreError) as error:
        warning(f"cannot look at the runs of {job_name}, so an earlier one is not waited for: {error}")
        return []
    ours = next((_order(run) for run in runs if run["Id"] == own.job_run_id), None)
    same = [run for run in runs if _is_of(run, own) and run["Id"] != own.job_run_id]
    return [run["Id"] for run in same if run["JobRunState"] in ACTIVE and (ours is None or _order(run) < ours)]


def _is_of(run: "JobRunTypeDef", own: GroupRun) -> bool:
    given = run.get("Arguments", {})
    return (given.get("--EXPORT_ID"), given.get("--EXPORT_GROUP")) == (own.export_id, own.group)


def _order(run: "JobRunTypeDef") -> tuple[float, str]:
    return run["StartedOn"].timestamp(), run["Id"]  # two may have started in the same moment
