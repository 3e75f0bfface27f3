"""What the DAG's first task does: it writes the credentials that the worker has to the stack's secret."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

PASSWORD = 'c4n4ry "pass" wörd'


@pytest.fixture
def secret(aws: SimpleNamespace, worker: pytest.MonkeyPatch) -> SimpleNamespace:
    """The stack's empty secret, and a worker that knows the database."""
    worker.setenv("DB_SECRETS", json.dumps({"username": "adminuser", "password": PASSWORD}))
    worker.setenv("POSTGRES_HOST", "db.example")
    arn = aws.secrets.create_secret(Name="orders-metadata-export/database", SecretString="{}")["ARN"]
    return SimpleNamespace(arn=arn, read=lambda: json.loads(aws.secrets.get_secret_value(SecretId=arn)["SecretString"]))


def test_given_credentials_then_they_are_in_the_secret_and_the_task_returns_its_arn(dag_file: Any, secret: Any) -> None:
    assert dag_file.publish_credentials("") == secret.arn
    assert secret.read()["password"] == PASSWORD
    assert secret.read()["host"] == "db.example"


def test_given_a_rotated_password_then_the_next_run_publishes_it(
    dag_file: Any, secret: Any, worker: pytest.MonkeyPatch
) -> None:
    dag_file.publish_credentials("")
    worker.setenv("DB_SECRETS", json.dumps({"username": "adminuser", "password": "rotated"}))
    dag_file.publish_credentials("")
    assert secret.read()["password"] == "rotated"


def test_given_another_name_in_the_variable_then_that_secret_is_written(
    dag_file: Any, aws: SimpleNamespace, secret: Any
) -> None:
    other = aws.secrets.create_secret(Name="other-name/database", SecretString="{}")["ARN"]
    assert dag_file.publish_credentials("other-name") == other
    assert secret.read() == {}


def test_given_debug_logging_then_the_password_is_in_no_log_line(
    dag_file: Any, secret: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        dag_file.publish_credentials("")
    assert "Wrote the credentials of DB_SECRETS" in caplog.text
    assert "c4n4ry" not in caplog.text


@pytest.mark.usefixtures("aws")
def test_given_no_secret_then_the_task_fails_for_good_and_says_what_to_deploy(
    dag_file: Any, worker: pytest.MonkeyPatch
) -> None:
    worker.setenv("DB_SECRETS", json.dumps({"username": "adminuser", "password": PASSWORD}))
    worker.setenv("POSTGRES_HOST", "db.example")
    with pytest.raises(
        dag_file.AirflowFailException, match=r"orders-metadata-export/database.*deploy the stack"
    ) as failure:
        dag_file.publish_credentials("")
    assert "c4n4ry" not in str(failure.value)


def test_given_neither_environment_name_nor_variable_then_the_task_says_which_to_set(
    dag_file: Any, worker: pytest.MonkeyPatch
) -> None:
    worker.delenv("AIRFLOW_ENV_NAME")
    with pytest.raises(dag_file.AirflowFailException, match=r"AIRFLOW_ENV_NAME.*metadata_export_name"):
        dag_file.publish_credentials("")


def test_given_no_region_then_the_task_says_which_variable_to_set(
    dag_file: Any, secret: Any, worker: pytest.MonkeyPatch
) -> None:
    worker.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(dag_file.AirflowFailException, match="AWS_REGION nor AWS_DEFAULT_REGION"):
        dag_file.publish_credentials("")
