"""The real template, deployed by the real SAM CLI into an emulated account, beside a PostgreSQL."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared"), str(ROOT / "glue")]

from local import deployment, pipeline, postgres  # noqa: E402
from local.aws import account, runtimes, server  # noqa: E402
from local.aws.server import EmulatedAws  # noqa: E402
from local.aws.settings import Settings  # noqa: E402
from local.postgres import PostgresServer  # noqa: E402
from tests.unit.dags.conftest import dag_file  # noqa: E402, F401

ENVIRONMENT = "orders"
STACK = f"{ENVIRONMENT}-metadata-export"
ROLE = "adminuser"


@dataclass(frozen=True)
class Deployed:
    """A deployed stack and the database it is for."""

    aws: EmulatedAws
    database: PostgresServer
    build: Path

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's owner."""
        return pipeline.client(self.aws, service)

    def resource(self, logical_id: str) -> str:
        """Return a resource's physical id."""
        found = self.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def call(self, function: str, event: Any) -> Any:
        """Call a function by its logical id and return its answer; its error fails the test."""
        answer = self.client("lambda").invoke(FunctionName=self.resource(function), Payload=json.dumps(event))
        text = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, text
        return json.loads(text)

    def prepare_connection(self) -> dict[str, str]:
        """Call Prepare Connection as the state machine does."""
        started = datetime.now(UTC).isoformat()
        arn = f"arn:aws:states:{self.aws.settings.region}:000000000000:execution:{STACK}:one"
        execution = {"id": arn, "name": "one", "start_time": started}
        plan = self.call("PlanExportFunction", {"input": {"force": True}, "execution": execution})
        return dict(self.call("PrepareConnectionFunction", {"export": plan["export"]}))

    def set_password(self, password: str) -> None:
        """Give the role of MWAA another password, as a rotation does."""
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password))
        with psycopg.connect(self.database.url(), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    home = tmp_path_factory.mktemp("deployment")
    lambda_python = runtimes.ensure_lambda_runtime(ROOT / ".local" / "lambda-runtime")
    with (
        postgres.temporary_server(password="superuser") as database,
        server.start(Settings(home=home / "aws", lambda_python=lambda_python)) as aws,
    ):
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
        mwaa = account.create_mwaa_environment(lambda service: pipeline.client(aws, service), ENVIRONMENT, "3.0.6")
        parameters = {
            "MwaaEnvironmentName": ENVIRONMENT,
            "AlertEmail": "platform-team@example.com",
            "DagBucketName": mwaa.bucket,
        }
        template = deployment.build(log=home / "sam-build.log")
        deployment.deploy(template, STACK, parameters, aws_env=aws.env, log=home / "sam-deploy.log")
        yield Deployed(aws, database, template.parent)


@pytest.fixture
def worker(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A worker of the environment; its database is set by the test."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**deployed.aws.env, "AIRFLOW_ENV_NAME": ENVIRONMENT}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials of whatever test made it
    return monkeypatch
