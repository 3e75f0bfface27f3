"""What the DAG's first task keeps of the Fernet key, where the stack has a secret for it (KeepFernetKey)."""

import json
import logging
import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tests.unit.dags.conftest import ADDRESS, LOGIN

NAME = "orders-metadata-export/fernet-key"
FERNET = "AIRFLOW__CORE__FERNET_KEY"
KEY, NEWER = "c4n4ry-key-of-the-first-year=,c4n4ry-older=", "c4n4ry-key-of-the-second-year="


@pytest.fixture
def published(aws: SimpleNamespace, worker: pytest.MonkeyPatch) -> Any:
    """A worker with a Fernet key and the secret of the exports; returns what the task wrote there."""
    worker.setenv("DB_SECRETS", LOGIN)
    for name, value in ADDRESS.items():
        worker.setenv(name, value)
    worker.setenv(FERNET, KEY)
    arn = aws.secrets.create_secret(Name="orders-metadata-export/database", SecretString="{}")["ARN"]
    return lambda: json.loads(aws.secrets.get_secret_value(SecretId=arn)["SecretString"])


@pytest.fixture
def kept(aws: SimpleNamespace, published: Any) -> Any:
    """The stack's secret for the key, as CloudFormation makes it; returns its labels by version."""
    arn = aws.secrets.create_secret(Name=NAME)["ARN"]
    return lambda: aws.secrets.describe_secret(SecretId=arn).get("VersionIdsToStages", {})


class Watched(dict[str, str]):
    """The worker's variables, and the names of those that were looked at."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.read: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        self.read.append(name)
        return super().get(name, default)


def value(aws: SimpleNamespace, **version: str) -> str:
    return str(aws.secrets.get_secret_value(SecretId=NAME, **version)["SecretString"])


def test_given_a_stack_that_keeps_no_key_then_nothing_is_read_or_told_of_it(
    dag_file: Any, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = Watched(os.environ)
    monkeypatch.setattr(dag_file, "os", SimpleNamespace(environ=environ))
    dag_file.publish_credentials("")
    assert "AIRFLOW_ENV_NAME" in environ.read
    assert FERNET not in environ.read
    assert "fernet_key_version" not in published()


def test_given_a_stack_that_keeps_it_then_the_whole_value_is_kept_and_its_version_told(
    dag_file: Any, aws: SimpleNamespace, published: Any, kept: Any
) -> None:
    dag_file.publish_credentials("")
    version = published()["fernet_key_version"]
    assert value(aws) == value(aws, VersionId=version) == KEY
    assert any(label.startswith("kept-") for label in kept()[version])


def test_given_the_same_key_then_nothing_is_written_twice(dag_file: Any, published: Any, kept: Any) -> None:
    dag_file.publish_credentials("")
    before, told = kept(), published()
    dag_file.publish_credentials("")
    assert (kept(), published()) == (before, told)


def test_given_keys_that_changed_and_changed_back_then_all_are_kept_and_the_worker_s_is_the_current_one(
    dag_file: Any, aws: SimpleNamespace, published: Any, kept: Any, worker: pytest.MonkeyPatch
) -> None:
    versions = []
    for key in (KEY, NEWER, "third", KEY):
        worker.setenv(FERNET, key)
        dag_file.publish_credentials("")
        versions.append(published()["fernet_key_version"])
        # moto takes own labels away together with AWSCURRENT: one that is back is as one whose label went.
        assert any(label.startswith("kept-") for label in kept()[versions[-1]])
        assert value(aws, VersionStage="AWSCURRENT") == key
    assert versions[0] == versions[3]
    assert [value(aws, VersionId=version) for version in versions[:3]] == [KEY, NEWER, "third"]


def _with_17_keys(aws: SimpleNamespace) -> str:
    arn: str = aws.secrets.describe_secret(SecretId=NAME)["ARN"]
    for number in range(17):
        stages = {"VersionStages": [f"kept-202612{number + 1:02d}T000000Z"], "ClientRequestToken": f"{number:032d}"}
        aws.secrets.put_secret_value(SecretId=arn, SecretString=f"key {number}", **stages)
    return arn


def test_given_as_many_keys_as_a_secret_can_hold_then_the_first_one_goes(
    dag_file: Any, aws: SimpleNamespace, published: Any, kept: Any, worker: pytest.MonkeyPatch
) -> None:
    _with_17_keys(aws)
    dag_file.publish_credentials("")
    labels = [label for held in kept().values() for label in held if label.startswith("kept-")]
    assert len(labels) == 17
    assert "kept-20261201T000000Z" not in labels
    assert "kept-20261202T000000Z" in labels


def test_given_a_key_that_cannot_be_put_then_no_other_has_gone_for_it(
    dag_file: Any, aws: SimpleNamespace, published: Any, kept: Any
) -> None:
    """Room was made before the new key was there: a put that failed had cost the oldest one its label."""
    arn = _with_17_keys(aws)
    before = kept()
    with pytest.MonkeyPatch.context() as refusal:
        refusal.setattr(aws.secrets, "put_secret_value", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            dag_file._keep(aws.secrets, arn, kept(), KEY)
    assert kept() == before


def test_given_a_key_that_comes_back_when_its_label_is_gone_then_it_has_labels_again(dag_file: Any) -> None:
    """A put with the id and value of a version changes nothing: such a key was said to be kept, and was not."""
    arn, current = "arn:aws:secretsmanager:eu-west-1:1:secret:x-123456", "0" * 32
    version = dag_file._fingerprint(arn, KEY)
    labels: dict[str, list[str]] = {current: ["AWSCURRENT", "kept-20261201T000000Z"]}
    client = boto3.client("secretsmanager", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubbed:
        stubbed.add_response("put_secret_value", {"VersionId": version})
        stubbed.add_response("describe_secret", {"ARN": arn, "VersionIdsToStages": labels})
        own = {"SecretId": arn, "MoveToVersionId": version}
        stubbed.add_response("update_secret_version_stage", {}, {**own, "VersionStage": ANY})
        promoted = {**own, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": current}
        stubbed.add_response("update_secret_version_stage", {}, promoted)
        assert dag_file._keep(client, arn, labels, KEY) == version
        stubbed.assert_no_pending_responses()


@pytest.mark.parametrize("key", [None, "", "  "])
def test_given_a_worker_without_a_key_then_none_is_kept_and_the_export_goes_on(
    dag_file: Any, published: Any, kept: Any, worker: pytest.MonkeyPatch, key: str | None
) -> None:
    worker.delenv(FERNET)
    if key is not None:
        worker.setenv(FERNET, key)
    dag_file.publish_credentials("")
    assert "fernet_key_version" not in published()
    assert published()["host"] == "proxy.example"


def test_given_a_secret_that_is_scheduled_for_deletion_then_no_key_is_kept(
    dag_file: Any, aws: SimpleNamespace, published: Any, kept: Any
) -> None:
    aws.secrets.delete_secret(SecretId=NAME)
    dag_file.publish_credentials("")
    assert "fernet_key_version" not in published()


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "ResourceNotFoundException", "InvalidRequestException", "EncryptionFailure",
     "LimitExceededException"],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["describe_secret", "put_secret_value"])
def test_given_a_key_that_cannot_be_kept_then_no_version_of_it_is_told(
    dag_file: Any, aws: SimpleNamespace, kept: Any, operation: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Stubber(aws.secrets) as stubbed:
        if operation == "put_secret_value":
            stubbed.add_response("describe_secret", {"ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:x-123456"})
        stubbed.add_client_error(operation, code)
        assert dag_file._keep_fernet_key(aws.secrets, NAME) is None
    assert f"No Fernet key is kept in {NAME}: {code}" in caplog.text


def test_given_an_answer_that_is_worth_a_retry_then_the_task_fails_and_airflow_tries_again(
    dag_file: Any, aws: SimpleNamespace, kept: Any
) -> None:
    with Stubber(aws.secrets) as stubbed:
        stubbed.add_client_error("describe_secret", "InternalServiceError")
        with pytest.raises(dag_file.AirflowException, match="Keeping the Fernet key in") as failure:
            dag_file._keep_fernet_key(aws.secrets, NAME)
    assert not isinstance(failure.value, dag_file.AirflowFailException)


def test_the_key_is_in_no_log_line_no_error_and_not_in_the_exports_secret(
    dag_file: Any, published: Any, kept: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        returned = dag_file.publish_credentials("")
    assert "Keeps a new Fernet key" in caplog.text
    assert "c4n4ry-key" not in caplog.text + returned + json.dumps(published())
