"""The secret that the DAG publishes."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from export_runtime.errors import AwsCallError
from export_runtime.text import one_line
from prepare_connection.database_secret import kept_key_version, parse_secret, read_secret

from tests.contract_examples import examples

BEFORE_ALL_TIME = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59, seconds=59)))
NOW = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)
SECRET = {
    "engine": "postgres",
    "host": "db.example.com",
    "port": 5432,
    "dbname": "AirflowMetadata",
    "username": "airflow",
    "password": "CANARY",
}


def parse(**changes: object):
    """Parse the secret with changes; None removes a field."""
    content = {name: value for name, value in {**SECRET, **changes}.items() if value is not None}
    return parse_secret(json.dumps(content), NOW)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        pytest.param({}, "jdbc:postgresql://db.example.com:5432/AirflowMetadata", id="name"),
        pytest.param({"host": "10.0.0.1"}, "jdbc:postgresql://10.0.0.1:5432/AirflowMetadata", id="IPv4"),
        pytest.param({"host": "fd00::1"}, "jdbc:postgresql://[fd00::1]:5432/AirflowMetadata", id="IPv6"),
        pytest.param({"host": "[fd00::1]"}, "jdbc:postgresql://[fd00::1]:5432/AirflowMetadata", id="IPv6 in brackets"),
        pytest.param(
            {"dbname": "a b/c?d"}, "jdbc:postgresql://db.example.com:5432/a%20b%2Fc%3Fd", id="odd database name"
        ),
    ],
)
def test_given_a_secret_then_the_url_leads_to_the_database_without_credentials(changes, url):
    address, problems = parse(**changes)
    assert problems == []
    assert address.jdbc_url == url


@pytest.mark.parametrize("example", examples("database_secret", "valid"), ids=str)
def test_given_a_secret_of_the_contract_then_it_leads_where_the_contract_says(example):
    address, problems = parse_secret(example.text, BEFORE_ALL_TIME)
    assert problems == []
    expected = example.reading
    assert (address.host, address.port, address.name) == (expected["host"], expected["port"], expected["dbname"])
    assert address.enforce_tls is (expected["sslmode"] not in ("disable", "allow", "prefer"))
    address.jdbc_url.encode("ascii")
    if ends := expected["expires_at"]:
        assert parse_secret(example.text, datetime.fromisoformat(ends))[1], "it has expired at that moment"


@pytest.mark.parametrize("example", examples("database_secret", "invalid"), ids=str)
def test_given_a_secret_against_the_contract_then_the_problems_name_its_fields_and_no_value(example):
    address, problems = parse_secret(example.text, NOW)
    said = one_line("; ".join(problems), 1000)
    assert address is None
    assert [name for name in example.names if name not in said] == []
    assert "trigger the DAG mwaa_metadata_export" in said, "in an alert it is taken for a secret"
    assert "CANARY" not in repr(problems)


@pytest.mark.parametrize("text", ["1" * 5000, "[" * 5000], ids=["a number", "lists"])
def test_given_json_that_python_does_not_read_then_it_is_no_json(text):
    assert "not a JSON object" in parse_secret(text, NOW)[1][0]


@pytest.mark.parametrize("expires_at", ["2026-12-11T14:30:22Z", "2026-12-11T14:00:00", "2026-12-11T15:30:22+01:00"])
def test_given_an_end_that_is_reached_then_the_token_has_expired(expires_at):
    assert "expired at 2026-12-11T1" in parse(expires_at=expires_at)[1][0]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '"CANARY"', "CANARY"], ids=repr)
def test_given_no_json_object_then_that_is_the_problem(text):
    address, problems = parse_secret(text, NOW)
    assert address is None
    assert len(problems) == 1
    assert "trigger the DAG mwaa_metadata_export" in problems[0]
    assert "CANARY" not in problems[0]


def test_given_the_stacks_secret_before_the_first_run_then_the_problem_says_to_trigger_the_dag():
    assert "no value yet: trigger the DAG" in parse_secret(None, NOW)[1][0]


def test_given_several_problems_then_all_are_listed():
    assert len(parse(password=None, port=99999, expires_at="2020-01-01T00:00:00Z")[1]) == 3


def test_given_a_token_that_is_still_valid_then_it_is_accepted():
    assert parse(expires_at="2026-12-11T14:30:23Z")[1] == []


@pytest.mark.usefixtures("aws")
class TestReadSecret:
    """Reading it from Secrets Manager."""

    def test_given_no_secret_or_no_value_then_there_is_none(self):
        client = clients.secrets_manager()
        assert read_secret(client, "absent") is None
        client.create_secret(Name="empty")
        assert read_secret(client, "empty") is None

    def test_given_a_value_then_it_is_returned(self):
        client = clients.secrets_manager()
        client.create_secret(Name="full", SecretString="text")
        assert read_secret(client, "full") == "text"


@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure", "InvalidRequestException"])
def test_given_the_secret_cannot_be_read_then_the_error_names_it_and_what_to_check(code):
    with Stubber(clients.secrets_manager()) as stub:
        stub.add_client_error("get_secret_value", code)
        with pytest.raises(AwsCallError, match=rf"env/database.*{code}.*KMS key.*scheduled for deletion"):
            read_secret(stub.client, "env/database")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (json.dumps(SECRET | {"fernet_key_version": "0f" * 16}), "0f" * 16),
        (json.dumps(SECRET), None),
        (json.dumps(SECRET | {"fernet_key_version": None}), None),
        (json.dumps(SECRET | {"fernet_key_version": "the key itself"}), None),
        (json.dumps(SECRET | {"fernet_key_version": "0F" * 16}), None),
        (json.dumps(SECRET | {"fernet_key_version": ["0f" * 16]}), None),
        ("[]", None),
        ("{", None),
        ("[" * 5000, None),
        (None, None),
    ],
)
def test_the_version_of_the_kept_fernet_key_is_what_the_dag_writes_and_nothing_else(text, version):
    assert kept_key_version(text) == version
