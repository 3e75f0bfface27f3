"""A real Airflow of each version, with the emulated AWS and a PostgreSQL whose password is searched for everywhere.

`AIRFLOW_VERSIONS` (comma-separated) chooses the versions: one of each major by default; `make test-versions` runs six.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import postgres
from local.airflow import environment, server
from local.airflow.environment import AirflowEnvironment
from local.airflow.rest import AirflowApi
from local.airflow.server import LocalAirflow
from local.aws import server as aws_server
from local.aws.server import EmulatedAws
from local.aws.settings import ACCOUNT_ID, REGION, Settings
from local.postgres import PostgresServer
from tests.waiting import wait_until

VERSIONS = os.environ.get("AIRFLOW_VERSIONS", "2.10.3,3.3.1").split(",")
DAG_ID = "mwaa_metadata_export"
STACK = "orders-metadata-export"
DATABASE = "AirflowMetadata"
PASSWORD = "c4n4ry/p@ss:%41 wörd"  # each of these characters has a meaning in a URL
EXPLODE = "explode"  # a table name at which the state machine of these tests fails

# Stands in for the flow of the project: what the DAG sees of it is an execution that ends well, or does not.
FLOW = {
    "QueryLanguage": "JSONata",
    "StartAt": "Does It Explode?",
    "States": {
        "Does It Explode?": {
            "Type": "Choice",
            "Choices": [{"Condition": f"{{% '{EXPLODE}' in $states.input.include_tables %}}", "Next": "Explode"}],
            "Default": "Export",
        },
        "Explode": {"Type": "Fail", "Error": "ExportIncompleteError", "Cause": "group runs failed:\ndisk full"},
        "Export": {  # a test can hold it
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Arguments": {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:exports", "Message": "one more"},
            "Next": "Done",
        },
        "Done": {"Type": "Succeed", "Output": {"status": "COMPLETE", "summary_uri": "s3://bucket/summary.json.gz"}},
    },
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}]}


@dataclass(frozen=True)
class Running:
    """An Airflow that plays the MWAA environment `orders`, and the account that its stack is deployed to."""

    airflow: LocalAirflow
    aws: EmulatedAws
    database: PostgresServer
    dbname: str

    @property
    def api(self) -> AirflowApi:
        return self.airflow.api()

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def run(self, **conf: Any) -> str:
        """Trigger the DAG and return the run's id."""
        return self.api.trigger(DAG_ID, conf=conf)

    def state(self, run_id: str) -> str:
        """Wait until a run has ended, and return how."""
        api = self.api

        def final() -> Any:
            state = api.dag_run(DAG_ID, run_id)["state"]
            return state if state in {"success", "failed"} else None

        return str(wait_until(final, run_id))

    def tasks(self, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run, by task."""
        return {task["task_id"]: task for task in self.api.task_instances(DAG_ID, run_id)}

    def log(self, task_id: str) -> str:
        """Everything that a task wrote to its logs, in all runs."""
        files = (self.airflow.home / "logs").rglob("*.log")
        return "\n".join(file.read_text() for file in files if f"task_id={task_id}" in str(file))

    def executions(self) -> list[str]:
        """The ARNs of all executions."""
        states = self.client("stepfunctions")
        machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
        return [entry["executionArn"] for entry in states.list_executions(stateMachineArn=machine)["executions"]]


@pytest.fixture(scope="session", params=VERSIONS)
def installed(request: pytest.FixtureRequest) -> AirflowEnvironment:
    """An installed Airflow."""
    return environment.ensure(request.param)


@pytest.fixture(scope="session")
def database() -> Iterator[PostgresServer]:
    with postgres.temporary_server(password=PASSWORD) as started:
        yield started


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAws]:
    """An account with what the template gives the DAG: a secret and a state machine."""
    with aws_server.start(Settings(home=tmp_path_factory.mktemp("aws"))) as started:
        client = started.client
        role = client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        client("iam").put_role_policy(RoleName="machine", PolicyName="inline", PolicyDocument=json.dumps(POLICY))
        client("sns").create_topic(Name="exports")
        client("stepfunctions").create_state_machine(name=STACK, definition=json.dumps(FLOW), roleArn=role)
        client("secretsmanager").create_secret(Name=f"{STACK}/database", SecretString="{}")
        client("secretsmanager").create_secret(Name=f"{STACK}/fernet-key")
        yield started


@pytest.fixture(scope="session")
def running(
    installed: AirflowEnvironment, database: PostgresServer, aws: EmulatedAws, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """An Airflow in which the export DAG and the examples are ready."""
    home: Path = tmp_path_factory.mktemp(f"airflow-{installed.version.number}-")
    dbname = f"{DATABASE}-{installed.version.number}"
    airflow = server.start(
        installed,
        home=home,
        logs=home / "components",
        database_url=database.create_database(dbname),
        environment_name="orders",
        aws_env=aws.env,
    )
    try:
        server.wait_until_ready(airflow)
        yield Running(airflow, aws, database, dbname)
    finally:
        server.stop(home)
