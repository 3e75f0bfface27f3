"""Which token the DAG publishes when MWAA's database takes IAM tokens."""

import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.dags.conftest import ADDRESS, CANARY, IMAGE_ADDRESS, LOGIN, URL, found

TOKEN = "db.example:5432/?Action=connect&X-Amz-Date=20261211T143000Z&X-Amz-Expires=900&X-Amz-Signature=ab"
IAM = {"USE_IAM_CREDENTIALS": "true", "MWAA__DB__POSTGRES_SSLMODE": "require", **IMAGE_ADDRESS}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The image's token provider, as a class under its module's name in Airflow 3."""
    module = ModuleType("mwaa.config.rds_iam_credentials")
    made = SimpleNamespace(generate_credentials=lambda: TOKEN, get_token=lambda: "a token from the cache")
    module.__dict__["RDSIAMCredentialProvider"] = made
    for name in ("mwaa", "mwaa.config"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


@pytest.mark.usefixtures("provider")
def test_given_iam_is_in_use_then_a_fresh_token_is_published_with_its_own_expiry(dag_file: Any) -> None:
    name, secret = dag_file.find_credentials(IAM | {URL: "postgresql://adminuser:stale@h/d"})
    assert name == "IAM token provider"
    assert secret == {
        "engine": "postgres",
        "host": "proxy.example",
        "port": 5433,
        "dbname": "AirflowMetadata",
        "username": "airflow_user",
        "password": TOKEN,
        "sslmode": "require",
        "expires_at": "2026-12-11T14:45:00Z",
    }


def test_given_a_provider_with_a_cache_only_then_its_token_lives_fifteen_minutes_at_most(
    dag_file: Any, provider: SimpleNamespace
) -> None:
    del provider.generate_credentials
    secret = found(dag_file, IAM)
    assert secret["password"] == "a token from the cache"
    left = datetime.fromisoformat(secret["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_given_the_provider_of_airflow_2_then_it_is_found_under_its_other_name(
    dag_file: Any, provider: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["mwaa.config.rds_iam_credentials"]
    monkeypatch.delitem(sys.modules, "mwaa.config.rds_iam_credentials")
    monkeypatch.setitem(sys.modules, "mwaa.utils", ModuleType("mwaa.utils"))
    monkeypatch.setitem(sys.modules, "mwaa.utils.get_rds_iam_credentials", module)
    environ = {"USE_IAM_CREDENTIALS": "TRUE", "SSL_MODE": "require"} | ADDRESS
    assert found(dag_file, environ)["password"] == TOKEN


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"USE_IAM_CREDENTIALS": "false"}, id="the flag is off"),
        pytest.param({"MWAA__DB__POSTGRES_SSLMODE": "prefer"}, id="not behind RDS Proxy"),
    ],
)
def test_given_iam_is_not_in_use_then_the_password_is_published(dag_file: Any, change: dict[str, str]) -> None:
    secret = found(dag_file, IAM | change | {URL: "postgresql://adminuser:pw@h/d"})
    assert secret["password"] == "pw"
    assert "expires_at" not in secret


def test_given_a_provider_that_lacks_a_setting_then_the_next_source_is_used(
    dag_file: Any, provider: SimpleNamespace
) -> None:
    def lacks_a_setting() -> str:
        raise ValueError("RDS_IAM_TOKEN_HOSTNAME environment variable is required")

    provider.generate_credentials = lacks_a_setting
    assert found(dag_file, IAM | {"DB_SECRETS": LOGIN} | ADDRESS)["password"] == CANARY


def test_given_a_provider_that_cannot_reach_its_endpoint_then_the_task_is_retried(
    dag_file: Any, provider: SimpleNamespace
) -> None:
    def times_out() -> str:
        raise TimeoutError

    provider.generate_credentials = times_out
    with pytest.raises(TimeoutError):
        dag_file.find_credentials(IAM | {"DB_SECRETS": LOGIN} | ADDRESS)
