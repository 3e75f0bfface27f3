"""What the DAG's first task does: it writes the credentials that the worker has to the stack's secret."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.stub import Stubber

from tests.contract_examples import Example, examples
from tests.contracts import violations

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


def test_given_a_stack_that_allows_restores_then_their_secret_is_written_too(
    dag_file: Any, aws: SimpleNamespace, secret: Any
) -> None:
    writers = aws.secrets.create_secret(Name="orders-metadata-export/restore", SecretString="{}")["ARN"]
    assert dag_file.publish_credentials("") == secret.arn
    assert json.loads(aws.secrets.get_secret_value(SecretId=writers)["SecretString"]) == secret.read()


def test_given_a_secret_of_restores_that_is_scheduled_for_deletion_then_the_export_goes_on(
    dag_file: Any, aws: SimpleNamespace
) -> None:
    with Stubber(aws.secrets) as stubbed:  # moto writes into one
        stubbed.add_client_error("put_secret_value", "InvalidRequestException")
        dag_file._publish_for_restores(aws.secrets, "orders-metadata-export/restore", "{}")


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


def written(dag_file: Any, document: Any) -> dict[str, Any] | None:
    """The secret that the DAG makes where the worker's variables say what a document says; None: it refuses."""
    login = {name: document[name] for name in ("username", "password") if document.get(name) is not None}
    environ = {"DB_SECRETS": json.dumps(login)}
    variables = {"host": "POSTGRES_HOST", "port": "POSTGRES_PORT", "dbname": "POSTGRES_DB", "sslmode": "SSL_MODE"}
    environ |= {variable: str(document[name]) for name, variable in variables.items() if document.get(name) is not None}
    try:
        return dict(dag_file.find_credentials(environ)[1])
    except dag_file.AirflowFailException as refusal:
        message = str(refusal)
    assert "CANARY" not in message
    return None


@pytest.mark.parametrize("example", examples("database_secret", "valid"), ids=str)
def test_given_a_worker_of_such_a_database_then_its_secret_reads_as_the_contract_says(
    dag_file: Any, example: Example
) -> None:
    secret = written(dag_file, example.document)
    assert secret is not None
    assert violations("database_secret", secret) == []
    expected = {name: value for name, value in example.reading.items() if name != "expires_at"}
    assert {name: secret[name] for name in expected} == expected


@pytest.mark.parametrize("example", [each for each in examples("database_secret", "invalid") if each.document], ids=str)
def test_given_a_worker_of_what_no_reader_accepts_then_the_dag_refuses_or_corrects_it(
    dag_file: Any, example: Example
) -> None:
    secret = written(dag_file, example.document)
    if secret is not None:
        assert violations("database_secret", secret) == []
        kept = [name for name in example.names if secret.get(name) == example.document.get(name)]
        assert [name for name in kept if name != "expires_at"] == []


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
