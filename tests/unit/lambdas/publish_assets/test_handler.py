"""Entry point of Publish Assets: CloudFormation always gets an answer."""

import json

import pytest
from publish_assets import handler as entry
from publish_assets.cloudformation import Answer

from tests.unit.lambdas.conftest import Context
from tests.unit.lambdas.publish_assets.cases import PROPERTIES, request_for


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """Set what the build and the template set."""
    (tmp_path / "mwaa_metadb_export.py").write_bytes(b"script")
    (tmp_path / "layer" / "glue_wheels").mkdir(parents=True)
    (tmp_path / "layer" / "glue_wheels" / "python3.11.gluewheels.zip").write_bytes(b"wheels")
    monkeypatch.syspath_prepend(tmp_path / "layer")
    monkeypatch.setattr(entry, "_ASSETS", tmp_path)
    monkeypatch.setenv("ENVIRONMENT_NAME", "prod")


@pytest.fixture
def answers(monkeypatch) -> list[dict]:
    """Give the answers that CloudFormation gets."""
    sent: list[dict] = []
    monkeypatch.setattr(entry, "Answer", lambda event: Answer(event, lambda url, body: sent.append(json.loads(body))))
    return sent


def test_given_a_create_then_the_answer_has_the_attributes(s3, answers, context):
    entry.handler(request_for("Create"), context)
    (answer,) = answers
    assert answer["Status"] == "SUCCESS"
    assert answer["Data"].keys() == {"ScriptUri", "WheelsUri", "DagUri"}
    assert answer["PhysicalResourceId"].startswith("assets-")


def test_given_a_create_and_its_delete_then_nothing_is_left(s3, answers, context):
    entry.handler(request_for("Create"), context)
    entry.handler(request_for("Delete", None, answers[0]["PhysicalResourceId"]), context)
    assert [answer["Status"] for answer in answers] == ["SUCCESS", "SUCCESS"]
    assert s3.list_objects_v2(Bucket="exports-bucket")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({**PROPERTIES, "GluePython": "2.7"}, "GluePython"),
        ({**PROPERTIES, "Bucket": "absent"}, "absent"),
        ({}, "Bucket"),
    ],
    ids=["invalid", "no bucket", "nothing"],
)
def test_given_it_cannot_be_done_then_the_answer_is_failed_with_the_reason(s3, answers, context, properties, said):
    entry.handler(request_for("Create", properties), context)
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert said in answer["Reason"]


def test_given_an_unexpected_error_then_the_answer_is_failed(s3, answers, context, monkeypatch):
    def break_down(*args: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(entry, "apply", break_down)
    entry.handler(request_for("Create"), context)
    assert (answers[0]["Status"], answers[0]["Reason"]) == ("FAILED", "ZeroDivisionError: surprise")


def test_given_no_time_is_left_then_the_answer_is_failed_and_the_only_one(s3, answers, monkeypatch):
    def take_long(*args: object) -> dict:
        for _ in range(500):
            if answers:
                break
            entry_waits(0.01)
        return {}

    from time import sleep as entry_waits

    monkeypatch.setattr(entry, "apply", take_long)
    entry.handler(request_for("Create"), Context(remaining=1_000))
    assert [answer["Status"] for answer in answers] == ["FAILED"]
    assert "out of time" in answers[0]["Reason"]


def test_given_a_request_then_its_address_is_never_logged(s3, answers, context, log_lines):
    lines = log_lines(entry.logger)
    entry.handler(request_for("Create"), context)
    entry.handler(request_for("Create", {}), context)
    assert [line["message"] for line in lines()] == ["done", "failed"]
    assert "SIGNATURE" not in json.dumps(lines())
