"""The secret that the DAG publishes."""

import json
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from export_runtime.errors import AwsCallError
from export_runtime.text import one_line
from prepare_connection.database_secret import parse_secret, read_secret

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
        pytest.param({"port": "6543"}, "jdbc:postgresql://db.example.com:6543/AirflowMetadata", id="port as text"),
        pytest.param({"host": "10.0.0.1"}, "jdbc:postgresql://10.0.0.1:5432/AirflowMetadata", id="IPv4"),
        pytest.param({"host": "fd00::1"}, "jdbc:postgresql://[fd00::1]:5432/AirflowMetadata", id="IPv6"),
        pytest.param({"host": "[fd00::1]"}, "jdbc:postgresql://[fd00::1]:5432/AirflowMetadata", id="IPv6 in brackets"),
        pytest.param(
            {"dbname": "a b/c?d"}, "jdbc:postgresql://db.example.com:5432/a%20b%2Fc%3Fd", id="odd database name"
        ),
        pytest.param({"host": "x"}, "jdbc:postgresql://x:5432/AirflowMetadata", id="one letter"),
    ],
)
def test_given_a_secret_then_the_url_leads_to_the_database_without_credentials(changes, url):
    address, problems = parse(**changes)
    assert problems == []
    assert address.jdbc_url == url


@pytest.mark.parametrize(
    ("sslmode", "enforced"),
    [
        (None, True),
        ("require", True),
        ("verify-full", True),
        ("disable", False),
        ("allow", False),
        ("prefer", False),
        ("verify-ca", True),
    ],
)
def test_given_an_sslmode_then_tls_is_enforced_unless_the_worker_does_without(sslmode, enforced):
    assert parse(sslmode=sslmode)[0].enforce_tls is enforced


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"password": None}, "lacks password", id="no password"),
        pytest.param({"password": ""}, "lacks password", id="empty password"),
        pytest.param({"host": None, "dbname": None}, "lacks host, dbname", id="two missing"),
        pytest.param({"engine": "mysql"}, "engine cannot be used", id="other engine"),
        pytest.param({"host": "db/../x"}, "host cannot be used", id="slash in host"),
        pytest.param({"host": "db\n"}, "host cannot be used", id="line feed in host"),
        pytest.param({"host": "::zz"}, "host cannot be used", id="malformed IPv6"),
        pytest.param({"host": 5}, "host cannot be used", id="number as host"),
        pytest.param({"port": 0}, "port cannot be used", id="port zero"),
        pytest.param({"port": 65536}, "port cannot be used", id="port too large"),
        pytest.param({"port": True}, "port cannot be used", id="bool as port"),
        pytest.param({"port": "five"}, "port cannot be used", id="word as port"),
        pytest.param({"dbname": ["x"]}, "dbname cannot be used", id="list as database"),
        pytest.param({"username": 5}, "username cannot be used", id="number as user"),
        pytest.param({"password": ["CANARY"]}, "password cannot be used", id="list as password"),
        pytest.param({"sslmode": "tls"}, "sslmode cannot be used", id="unknown sslmode"),
        pytest.param({"sslmode": ["require"]}, "sslmode cannot be used", id="list as sslmode"),
        pytest.param({"expires_at": "soon"}, "expires_at is 'soon'", id="malformed expiry"),
        pytest.param({"expires_at": "2026-12-11T14:30:22Z"}, "expired at 2026-12-11T14:30:22Z", id="expired now"),
        pytest.param({"expires_at": "2026-12-11T14:00:00"}, "expired at", id="expired, no zone"),
    ],
)
def test_given_an_unusable_secret_then_the_problem_says_so_and_who_publishes_it(changes, said):
    address, problems = parse(**changes)
    assert address is None
    assert said in problems[0]
    assert "trigger the DAG mwaa_metadata_export" in one_line(problems[0], 500), "in an alert it is taken for a secret"


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


@pytest.mark.parametrize("changes", [{}, {"port": -1}, {"host": "a b"}, {"expires_at": "CANAR"}], ids=str)
def test_given_any_secret_then_its_password_is_in_no_message(changes):
    address, problems = parse(**changes)
    assert "CANARY" not in repr(address) + repr(problems)


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
