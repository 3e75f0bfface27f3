"""Entry point of Publish Assets: CloudFormation always gets an answer, and a person may ask too."""

import json

import pytest
from export_runtime.errors import AwsCallError
from export_runtime.version import VERSION
from publish_assets import handler as entry
from publish_assets.cloudformation import Answer

from tests.contracts import violations
from tests.unit.lambdas.conftest import Context
from tests.unit.lambdas.publish_assets.cases import PROPERTIES, STACK, request_for
from tests.unit.template.definitions import variables

LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:drill-database:1"


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """Set what the build and the template set."""
    (tmp_path / "mwaa_metadb_export.py").write_bytes(b"script")
    (tmp_path / "layer" / "glue_wheels").mkdir(parents=True)
    (tmp_path / "layer" / "glue_wheels" / "python3.11.gluewheels.zip").write_bytes(b"wheels")
    (tmp_path / "other-layer" / "drill_database").mkdir(parents=True)
    (tmp_path / "other-layer" / "drill_database" / "postgresql.tar.xz").write_bytes(b"database")
    for layer in ("layer", "other-layer"):
        monkeypatch.syspath_prepend(tmp_path / layer)
    monkeypatch.setattr(entry, "_ASSETS", tmp_path)
    for name, value in variables("PublishAssetsFunction").items():
        monkeypatch.setenv(name, value)


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
    assert answer["Data"].keys() == {"ScriptUri", "WheelsUri", "DagUri", "Version"}
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


@pytest.fixture
def places(monkeypatch) -> None:
    """Set where the template lets it publish again."""
    values = {"STACK_ID": STACK, "ASSETS_BUCKET": "exports-bucket", "ASSETS_PREFIX": "assets/prod"}
    values |= {
        "DRILL_DATABASE": LAYER,
        "GLUE_PYTHON": "3.11",
        "DAG_BUCKET": "",
        "DAG_KEY": "dags/mwaa_metadata_export.py",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_given_a_person_asks_then_it_publishes_again_for_the_stack_to_delete(s3, answers, context, places):
    properties = {**PROPERTIES, "Prefix": "assets/prod", "Database": LAYER}
    entry.handler(request_for("Create", properties), context)
    made = answers[0]["Data"]
    for uri in (made["ScriptUri"], made["WheelsUri"], made["DatabaseUri"]):
        s3.delete_object(Bucket="exports-bucket", Key=uri.removeprefix("s3://exports-bucket/"))

    again = entry.handler({"RequestType": "Publish"}, context)
    assert again | {"Version": VERSION} == made
    assert violations("published_assets", again) == []

    assert len(answers) == 1  # nobody waits for another answer
    entry.handler(request_for("Delete", properties, answers[0]["PhysicalResourceId"]), context)
    assert s3.list_objects_v2(Bucket="exports-bucket")["KeyCount"] == 0


def test_given_a_person_asks_then_only_the_template_says_where(s3, context, places):
    entry.handler({"RequestType": "Publish", "ResourceProperties": {**PROPERTIES, "Prefix": "elsewhere"}}, context)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="exports-bucket")["Contents"]]
    assert {key.rsplit("/", 2)[0] for key in keys} == {"assets/prod"}


def test_given_a_person_asks_and_it_cannot_be_done_then_the_error_says_why(s3, answers, context, places, monkeypatch):
    monkeypatch.setenv("ASSETS_BUCKET", "absent")
    with pytest.raises(AwsCallError, match="absent"):
        entry.handler({"RequestType": "Publish"}, context)
    assert answers == []
