"""One deployed stack, from the wheels it publishes over a rotated password to its deletion, which comes last."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from export_contracts.connection_mark import MARK
from metadata_export.errors import SourceError
from metadata_export.secret import Credentials, read_credentials
from metadata_export.source import Source

from local.postgres import HOST
from tests.integration.deployment.conftest import ROLE, STACK, Deployed

FIRST, SECOND = "fir%st /@:?#é", 'sec"ond \\ {}'


def test_given_the_build_then_no_package_exceeds_5_mb(deployed: Deployed, tmp_path: Path) -> None:
    folders = [folder for folder in deployed.build.iterdir() if folder.is_dir()]
    sizes = {f.name: Path(shutil.make_archive(str(tmp_path / f.name), "zip", f)).stat().st_size for f in folders}
    layers = {f"{name}Python{version}Layer" for name in ("Glue", "Fernet") for version in ("311", "313")}
    assert {"SharedLayer", "PublishAssetsFunction", *layers} <= sizes.keys()
    assert {name: size for name, size in sizes.items() if size >= 5_000_000} == {}


def test_given_the_wheels_in_a_layer_then_the_job_installs_those_of_its_python(deployed: Deployed) -> None:
    arguments = deployed.client("glue").get_job(JobName=STACK)["Job"]["DefaultArguments"]
    bucket, key = arguments["--additional-python-modules"].removeprefix("s3://").split("/", 1)
    assert key.endswith("/python3.11.gluewheels.zip")
    assert deployed.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 1_000_000


def test_given_the_stack_then_doctor_finds_what_it_makes_as_it_should_be(deployed: Deployed) -> None:
    command = [sys.executable, "-m", "export_cli", "doctor", "--json"]
    result = subprocess.run(command, env=deployed.aws.env, capture_output=True, text=True, check=False)
    found = {each["check"]: each for each in json.loads(result.stdout)["checks"]}
    for name in ("stack", "state machine", "Glue job", "bucket", "key", "schedule", "environment"):
        assert found[name]["verdict"] == "pass", found[name]


def publish(deployed: Deployed, dag: Any, worker: pytest.MonkeyPatch, password: str) -> None:
    """Rotate the password, then run the DAG's first task on a worker that was given the new one."""
    deployed.set_password(password)
    url = f"postgresql+psycopg2://{ROLE}:{quote(password, safe='')}@{HOST}:{deployed.database.port}/postgres"
    worker.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"{url}?sslmode=prefer")
    dag.publish_credentials("")


def read_by_job(deployed: Deployed, name: str) -> Credentials:
    """Read the credentials as the Glue job does."""
    return read_credentials(deployed.client("glue"), deployed.client("secretsmanager"), name)


def user_of(credentials: Credentials) -> object:
    """Open the database as the Glue job does, and say as whom."""
    with Source(credentials, 60, "rotation").connect() as connection:
        return connection.execute("SELECT current_user").fetchall()[0][0]


def test_given_a_rotation_between_two_runs_then_the_second_works_and_nothing_else_changes(
    deployed: Deployed,
    dag_file: Any,
    worker: pytest.MonkeyPatch,
) -> None:
    publish(deployed, dag_file, worker, FIRST)
    created = deployed.prepare_connection()
    stale = read_by_job(deployed, created["connection_name"])
    assert (created["action"], user_of(stale)) == ("created", ROLE)

    publish(deployed, dag_file, worker, SECOND)
    validated = deployed.prepare_connection()

    assert validated == {**created, "action": "unchanged"}
    assert user_of(read_by_job(deployed, STACK)) == ROLE
    versions = deployed.client("secretsmanager").list_secret_version_ids(SecretId=f"{STACK}/database")["Versions"]
    assert len([version for version in versions if version.get("VersionStages")]) == 2  # current and previous
    with pytest.raises(SourceError, match="password authentication failed") as refused:
        user_of(stale)
    assert FIRST not in str(refused.value)


def ensure_connection(glue: Any, name: str, description: str) -> None:
    """Create a connection unless there is one."""
    properties = {"JDBC_CONNECTION_URL": "jdbc:postgresql://db:5432/d", "SECRET_ID": "s"}
    given = {"Name": name, "Description": description, "ConnectionType": "JDBC", "ConnectionProperties": properties}
    if not exists(glue, name):
        glue.create_connection(ConnectionInput=given)


def exists(glue: Any, name: str) -> bool:
    """Say whether a connection is there."""
    try:
        glue.get_connection(Name=name)
    except glue.exceptions.EntityNotFoundException:
        return False
    return True


def test_given_an_export_was_made_when_the_stack_is_deleted_then_its_connection_goes_and_others_stay(
    deployed: Deployed,
) -> None:
    glue, cloudformation = deployed.client("glue"), deployed.client("cloudformation")
    ensure_connection(glue, STACK, f"{MARK} for the MWAA environment orders.")
    ensure_connection(glue, "theirs", "made by hand")
    bucket = deployed.resource("ExportBucket")

    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    assert not exists(glue, STACK)
    assert exists(glue, "theirs")
    s3 = deployed.client("s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="assets/")["KeyCount"] == 0
    assert s3.list_objects_v2(Bucket="orders-mwaa")["KeyCount"] == 0
