"""Whom the holder of the snapshot need not wait for."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import ANY, Stubber
from metadata_export.siblings import ended_groups

EXPORT = "20261211T143022Z"
START = datetime(2026, 12, 11, 14, 31, tzinfo=UTC)


@pytest.fixture
def glue():
    client = boto3.client("glue", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    with Stubber(client) as stub:
        yield client, stub


def run(group, state, *, minute=0, export_id=EXPORT):
    arguments = {"--EXPORT_ID": export_id, "--EXPORT_GROUP": group}
    return {"StartedOn": START + timedelta(minutes=minute), "JobRunState": state, "Arguments": arguments}


def answer(stub, *runs):
    stub.add_response("get_job_runs", {"JobRuns": list(runs)}, {"JobName": "job", "MaxResults": ANY})


@pytest.mark.parametrize("state", ["FAILED", "ERROR", "TIMEOUT", "STOPPED", "EXPIRED"])
def test_a_group_whose_run_ended_without_success_is_dead(glue, state):
    client, stub = glue
    answer(stub, run("runs", "RUNNING"), run("tasks", state))

    assert ended_groups(client, "job", EXPORT) == {"tasks"}


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "STOPPING", "SUCCEEDED", "WAITING"])
def test_a_group_that_may_still_announce_itself_is_not(glue, state):
    client, stub = glue
    answer(stub, run("tasks", state))

    assert ended_groups(client, "job", EXPORT) == frozenset()


def test_the_newest_run_of_a_group_decides(glue):
    client, stub = glue
    answer(stub, run("tasks", "RUNNING", minute=2), run("tasks", "FAILED", minute=1))

    assert ended_groups(client, "job", EXPORT) == frozenset()


def test_a_run_of_another_export_does_not_count(glue):
    client, stub = glue
    answer(stub, run("tasks", "FAILED", export_id="20261210T143022Z"))

    assert ended_groups(client, "job", EXPORT) == frozenset()


def test_nobody_is_taken_for_dead_when_glue_does_not_answer(glue, capsys):
    client, stub = glue
    stub.add_client_error("get_job_runs", "AccessDeniedException")

    assert ended_groups(client, "job", EXPORT) == frozenset()


def test_outside_glue_there_is_nothing_to_look_at(glue):
    assert ended_groups(glue[0], "", EXPORT) == frozenset()
