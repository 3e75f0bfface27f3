"""Loads the DAG file with the least that it takes of Airflow, which is not in this environment.

The real Airflows load and run it in `tests/integration/airflow`; here are its own functions.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

DAG_FILE = Path(__file__).resolve().parents[3] / "dags" / "mwaa_metadata_export.py"
REGION = "eu-west-1"
CANARY = "c4n4ry-p4ssw0rd"
URL = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
LOGIN = json.dumps({"username": "adminuser", "password": CANARY})
ADDRESS = {"POSTGRES_HOST": "proxy.example", "POSTGRES_PORT": "5433", "POSTGRES_DB": "AirflowMetadata"}
IMAGE_ADDRESS = {f"MWAA__DB__{name}": value for name, value in ADDRESS.items()}


def found(dag_file: Any, environ: dict[str, str]) -> dict[str, Any]:
    """What the DAG would write to the secret."""
    return dict(dag_file.find_credentials(environ)[1])


class AirflowException(Exception):  # noqa: N818 - Airflow's name
    """Airflow retries the task after this."""


class AirflowFailException(AirflowException):
    """Airflow does not retry the task after this."""


class _Task:
    """The decorator `task`, which leaves the function as it is."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def sensor(self, **_: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return lambda function: function


def _airflow_modules() -> dict[str, ModuleType]:
    airflow, sdk, exceptions = (ModuleType(name) for name in ("airflow", "airflow.sdk", "airflow.sdk.exceptions"))
    exceptions.__dict__.update(AirflowException=AirflowException, AirflowFailException=AirflowFailException)
    sdk.__dict__.update(
        Param=lambda default, **schema: SimpleNamespace(default=default, schema=schema),
        PokeReturnValue=lambda is_done, xcom_value=None: SimpleNamespace(is_done=is_done, xcom_value=xcom_value),
        dag=lambda **_: lambda _function: lambda: None,
        task=_Task(),
        exceptions=exceptions,
    )
    return {"airflow": airflow, "airflow.sdk": sdk, "airflow.sdk.exceptions": exceptions}


@pytest.fixture
def dag_file(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The DAG file as a module."""
    return load_dag(monkeypatch)


def load_dag(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the DAG file as a module."""
    for name, module in _airflow_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("mwaa_metadata_export_under_test", DAG_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An MWAA worker of the environment `orders`, without anything about a database."""
    for name, value in {
        "AIRFLOW_ENV_NAME": "orders",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_ENDPOINT_URL", "USE_IAM_CREDENTIALS", "DB_SECRETS", "MWAA__DB__CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def aws(worker: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Clients of an empty account."""
    with mock_aws():
        yield SimpleNamespace(
            secrets=boto3.client("secretsmanager", REGION),
            states=boto3.client("stepfunctions", REGION),
        )
