"""Entry point of Plan Export."""

import json

import pytest
from export_runtime import clients
from export_runtime.executions import Executions
from plan_export import handler as entry
from plan_export.errors import InvalidExportInputError

from tests.contracts import violations
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.plan_export.cases import ARN, LAYOUT, NOW, OTHER_ARN
from tests.unit.template.definitions import variables

EXECUTION = {"id": ARN, "name": "mine", "start_time": "2026-12-11T14:30:22.987Z"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set what the template sets."""
    for name, value in {**variables("PlanExportFunction"), "EXPORT_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)


def test_given_a_valid_input_then_the_answer_is_a_plan(s3, context):
    plan = entry.handler({"input": {"trigger": "dag"}, "execution": EXECUTION}, context)
    assert violations("plan", plan) == []
    assert plan["due"]


def test_given_a_plan_then_log_and_metric_name_export_and_environment(s3, context, log_lines, capsys):
    lines = log_lines(entry.logger)
    entry.handler({"input": {}, "execution": EXECUTION}, context)
    assert [(line["message"], line["export_id"]) for line in lines()] == [("planned", "20261211T143022Z")]
    assert (lines()[0]["due"], lines()[0]["scope"]) == (True, "full")
    metric = json.loads(capsys.readouterr().out)
    assert (metric["ExportsDue"], metric["environment"]) == ([1.0], "prod")


def test_given_it_waits_for_another_export_then_no_metric_says_that_there_was_one(context, store, capsys, monkeypatch):
    store.write(LAYOUT.lock_key, json.dumps({"execution_arn": OTHER_ARN}).encode(), "application/json")
    monkeypatch.setattr(Executions, "is_running", lambda _, arn: arn == OTHER_ARN)
    monkeypatch.setattr(entry, "datetime", type("Clock", (), {"now": lambda _: NOW}))
    assert entry.handler({"input": {}, "execution": EXECUTION}, context)["wait"]
    assert capsys.readouterr().out == ""


def test_given_an_invalid_input_then_no_call_to_aws_is_made(context, log_lines, monkeypatch):
    def forbidden() -> None:
        pytest.fail("a client was asked for")

    monkeypatch.setattr(clients, "s3", forbidden)
    monkeypatch.setattr(clients, "step_functions", forbidden)
    lines = log_lines(entry.logger)
    with pytest.raises(InvalidExportInputError, match="everything; drop table x"):
        entry.handler({"input": {"max_age_in_days": "everything; drop table x"}, "execution": EXECUTION}, context)
    assert [(line["level"], line["error"]) for line in lines()] == [("ERROR", "InvalidExportInputError")]
    assert lines()[0]["export_id"] == "20261211T143022Z"
