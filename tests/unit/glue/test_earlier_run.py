"""A run that nobody waits for any more, of the same group: the next one lets it end, so that it overwrites nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from metadata_export.arguments import parse_arguments
from metadata_export.errors import OtherExportError
from metadata_export.siblings import EARLIER_RUN_SECONDS, wait_for_earlier_run

from tests.unit.glue.test_arguments import argv

START = datetime(2026, 12, 11, 14, 31, tzinfo=UTC)
ARGUMENTS = parse_arguments(argv(JOB_NAME="job"))


def run(name: str, state: str, seconds: int = 0, **given: str) -> dict[str, Any]:
    arguments = {"--EXPORT_ID": ARGUMENTS.export_id, "--EXPORT_GROUP": ARGUMENTS.group} | given
    started = START + timedelta(seconds=seconds)
    return {"Id": name, "StartedOn": started, "JobRunState": state, "Arguments": arguments}


OURS = run("jr_1", "RUNNING")


@pytest.fixture
def glue() -> Iterator[Stubber]:
    """A Glue that answers what the test says, and is asked nothing else."""
    client = boto3.client("glue", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def runs(stub: Stubber, *found: dict[str, Any]) -> None:
    """Let Glue list these runs next."""
    stub.add_response("get_job_runs", {"JobRuns": list(found)}, {"JobName": ARGUMENTS.job_name, "MaxResults": ANY})


def waits(stub: Stubber) -> int:
    """Return how often it has waited."""
    slept: list[float] = []
    wait_for_earlier_run(stub.client, ARGUMENTS.job_name, ARGUMENTS.group_run, slept.append)
    return len(slept)


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "STOPPING", "WAITING"])
def test_given_an_earlier_run_at_work_then_its_end_is_waited_for(glue: Stubber, state: str) -> None:
    runs(glue, OURS, run("jr_0", state, -1))
    runs(glue, OURS, run("jr_0", "SUCCEEDED", -1))
    assert waits(glue) == 1


def test_given_two_runs_that_started_in_one_moment_then_only_one_waits(glue: Stubber) -> None:
    runs(glue, OURS, run("jr_0", "RUNNING"))
    runs(glue, OURS)
    assert waits(glue) == 1
    runs(glue, OURS, run("jr_2", "RUNNING"))
    assert waits(glue) == 0


@pytest.mark.parametrize(
    "other",
    [
        run("jr_0", "STOPPED", -1),
        run("jr_2", "RUNNING", 1),
        run("jr_0", "RUNNING", -1, **{"--EXPORT_GROUP": "another"}),
        run("jr_0", "RUNNING", -1, **{"--EXPORT_ID": "20200101T000000Z"}),
    ],
    ids=["ended", "later", "another group", "another export"],
)
def test_given_a_run_that_cannot_overwrite_then_nobody_waits(glue: Stubber, other: dict[str, Any]) -> None:
    runs(glue, OURS, other)
    assert waits(glue) == 0


def test_given_a_run_that_does_not_end_then_one_line_names_it_and_the_way_on(glue: Stubber) -> None:
    for _ in range(int(EARLIER_RUN_SECONDS / 5) + 1):
        runs(glue, OURS, run("jr_0", "RUNNING", -1))
    with pytest.raises(OtherExportError, match=r"jr_0, is still active: stop it in the Glue console .* then redrive"):
        waits(glue)


def test_given_glue_does_not_answer_then_the_run_goes_on_and_says_so(
    glue: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    glue.add_client_error("get_job_runs", "AccessDeniedException")
    assert waits(glue) == 0
    assert "an earlier one is not waited for" in caplog.text


def test_outside_glue_there_is_nothing_to_wait_for(glue: Stubber) -> None:
    wait_for_earlier_run(glue.client, "", ARGUMENTS.group_run)
