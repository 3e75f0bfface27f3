"""Bad input is refused by Plan Export with one clear message, and nothing starts."""

import json

import pytest

from .conftest import execute


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tables": ["log"]}, "tables"),
        ({"max_age_in_days": "30"}, "max_age_in_days"),
        ({"max_age_in_days": 0}, "max_age_in_days"),
        ({"include_tables": ["dag_run; drop table x" * 3 + "x"]}, "dag_run; drop table x"),
        ({"force": "yes"}, "force"),
        (["dag_run"], "object"),
    ],
    ids=[
        "unknown field",
        "text for a number",
        "below the range",
        "a name too long",
        "text for a flag",
        "a list",
    ],
)
def test_bad_input_is_refused_before_anything_starts(exported, given, named):
    glue = exported.stack.client("glue")
    before = len(glue.get_job_runs(JobName="demo-metadata-export")["JobRuns"])

    execution = execute(exported.stack, given)

    assert execution["status"] == "FAILED"
    assert execution["error"] == "InvalidExportInputError"
    assert named in json.loads(execution["cause"])["errorMessage"]
    assert len(glue.get_job_runs(JobName="demo-metadata-export")["JobRuns"]) == before


def test_a_schedule_after_a_complete_export_does_nothing(exported):
    glue = exported.stack.client("glue")
    before = len(glue.get_job_runs(JobName="demo-metadata-export")["JobRuns"])

    execution = execute(exported.stack, {"trigger": "schedule"})

    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"])["status"] == "ALREADY_EXPORTED"
    assert len(glue.get_job_runs(JobName="demo-metadata-export")["JobRuns"]) == before
