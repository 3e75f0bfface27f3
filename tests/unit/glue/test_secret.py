import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from metadata_export.errors import CredentialsError
from metadata_export.secret import parse_secret, read_credentials
from metadata_export.source import Source
from metadata_export.task import Session

from tests.contract_examples import Example, examples

PASSWORD = "CANARY"
SECRET = {
    "engine": "postgres",
    "host": "db",
    "port": 6432,
    "dbname": "AirflowMetadata",
    "username": "adm",
    "password": PASSWORD,
}


def test_given_a_connection_that_names_a_secret_then_its_credentials_are_read() -> None:
    glue, secrets = MagicMock(), MagicMock()
    glue.get_connection.return_value = {"Connection": {"ConnectionProperties": {"SECRET_ID": "env/database"}}}
    secrets.get_secret_value.return_value = {"SecretString": json.dumps(SECRET | {"sslmode": "require"})}
    credentials = read_credentials(glue, secrets, "env-metadata-export")
    assert (credentials.host, credentials.port, credentials.sslmode) == ("db", 6432, "require")
    secrets.get_secret_value.assert_called_once_with(SecretId="env/database")


def test_given_credentials_then_no_repr_of_what_travels_holds_the_password() -> None:
    source = Source(parse_secret("s", json.dumps(SECRET)), 60, "name")
    assert PASSWORD not in repr(Session(source, "snapshot", "eu-central-1", "bucket", 4))
    assert PASSWORD not in str(source.credentials)


@pytest.mark.parametrize("example", examples("database_secret", "valid"), ids=str)
def test_given_a_secret_of_the_contract_then_it_reads_as_the_contract_says(example: Example) -> None:
    credentials = parse_secret("env/database", example.text)
    expected = example.reading | {
        "expires_at": example.reading["expires_at"] and datetime.fromisoformat(example.reading["expires_at"])
    }
    assert asdict(credentials) == expected


@pytest.mark.parametrize("example", examples("database_secret", "invalid"), ids=str)
def test_given_a_secret_against_the_contract_then_the_error_names_its_fields_and_no_value(example: Example) -> None:
    with pytest.raises(CredentialsError, match=r"'env/database'.*trigger the DAG") as caught:
        parse_secret("env/database", example.text)
    assert [name for name in example.names if name not in str(caught.value)] == []
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in str(error)
        error = None if error.__suppress_context__ else error.__context__


@pytest.mark.parametrize("text", ["1" * 5000, "[" * 5000], ids=["a number", "lists"])
def test_given_json_that_python_does_not_read_then_it_is_no_json(text: str) -> None:
    with pytest.raises(CredentialsError, match="not a JSON object"):
        parse_secret("env/database", text)


def test_given_an_expired_token_then_no_connection_is_tried_and_the_error_says_what_to_do() -> None:
    credentials = parse_secret("s", json.dumps(SECRET | {"expires_at": "2026-01-01T00:00:00Z"}))
    credentials.check_fresh(datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    with pytest.raises(CredentialsError, match=r"expired at 2026-01-01.*trigger the DAG"):
        Source(credentials, 60, "name").connect()


@pytest.mark.parametrize(
    ("sslmode", "verifies"), [("require", False), ("verify-ca", True), ("verify-full", True)], ids=str
)
def test_given_an_sslmode_that_verifies_then_there_are_authorities_to_verify_with(
    monkeypatch: pytest.MonkeyPatch, sslmode: str, verifies: bool
) -> None:
    connect = MagicMock()
    monkeypatch.setattr("metadata_export.source.psycopg.connect", connect)
    Source(parse_secret("s", json.dumps(SECRET | {"sslmode": sslmode})), 60, "name").connect()
    options = connect.call_args.kwargs
    assert options["sslmode"] == sslmode
    assert (options["sslrootcert"] is not None) is verifies
    assert not verifies or b"BEGIN CERTIFICATE" in Path(options["sslrootcert"]).read_bytes()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_given_any_password_then_it_comes_out_of_the_secret_as_it_went_in(password: str) -> None:
    assert parse_secret("s", json.dumps(SECRET | {"password": password})).password == password


def test_given_no_connection_then_the_error_names_it() -> None:
    glue = MagicMock()
    missing = {"Error": {"Code": "EntityNotFoundException", "Message": "no"}}
    glue.get_connection.side_effect = ClientError(missing, "GetConnection")  # type: ignore[arg-type]
    with pytest.raises(CredentialsError, match=r"'env-metadata-export'.*EntityNotFoundException.*start a new exec"):
        read_credentials(glue, MagicMock(), "env-metadata-export")


def test_given_a_secret_that_is_being_deleted_then_the_error_says_what_to_do() -> None:
    glue, secretsmanager = MagicMock(), MagicMock()
    glue.get_connection.return_value = {"Connection": {"ConnectionProperties": {"SECRET_ID": "env/database"}}}
    deleted = {"Error": {"Code": "InvalidRequestException", "Message": "marked for deletion"}}
    secretsmanager.get_secret_value.side_effect = ClientError(deleted, "GetSecretValue")  # type: ignore[arg-type]
    with pytest.raises(CredentialsError, match=r"'env/database'.*marked for deletion.*restore it"):
        read_credentials(glue, secretsmanager, "env-metadata-export")
