"""Faults of what an export needs to be there: the secret, the Glue connection, the MWAA environment."""

from typing import Any

import pytest

from local.faults import control
from local.faults.scene import Scene
from local.pipeline import ENVIRONMENT, STACK

SMALL = ["variable"]
HOLD_RUN = ("glue", "StartJobRun")
PHYSICAL = "PhysicalConnectionRequirements"


def connection(scene: Scene) -> dict[str, Any]:
    """Return the Glue connection in the form in which it can be given back, but for its times."""
    found = scene.client("glue").get_connection(Name=STACK)["Connection"]
    return {name: found[name] for name in ("Name", "Description", "ConnectionType", "ConnectionProperties", PHYSICAL)}


def change_connection(scene: Scene, **changes: Any) -> None:
    scene.client("glue").update_connection(Name=STACK, ConnectionInput={**connection(scene), **changes})


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("{}", "the secret lacks host, port, dbname, username, password"),
        ("host=db password=canary", "the secret is not a JSON object"),
        ('["host"]', "the secret is not a JSON object"),
        ('{"host": "a b", "port": "many", "dbname": 1, "username": "u", "password": "p"}', "the secret's"),
    ],
    ids=["empty", "not JSON", "a list", "no such host"],
)
def test_secret_malformed(scene: Scene, secret: str, said: str) -> None:
    """The secret is malformed."""
    secrets = scene.client("secretsmanager")
    secrets.put_secret_value(SecretId=scene.pipeline.outputs["SecretArn"], SecretString=secret)

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", said, "trigger the DAG")
    assert control.runs_of(scene) == []


def test_secret_without_a_value(scene: Scene) -> None:
    """The secret has no value yet, because the DAG has never run."""
    scene.faults.refuse("secretsmanager", "GetSecretValue", "ResourceNotFoundException")

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", "the secret has no value yet", "trigger the DAG")


def delete_secret(scene: Scene) -> None:
    secrets, secret = scene.client("secretsmanager"), scene.pipeline.outputs["SecretArn"]
    secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    scene.undo.callback(secrets.restore_secret, SecretId=secret)


def test_secret_deleted(scene: Scene) -> None:
    """The secret is scheduled for deletion."""
    delete_secret(scene)

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", "Could not read secret", "restore it")


def test_secret_deleted_before_the_run(scene: Scene) -> None:
    """The secret is scheduled for deletion after the connection was prepared."""
    with scene.faults.held(*HOLD_RUN) as held:
        scene.start(include_tables=SMALL)
        held.wait()
        delete_secret(scene)

    scene.must_fail("definitions", "cannot read the secret", "restore it")


def test_connection_missing(scene: Scene) -> None:
    """The Glue connection is missing."""
    before = connection(scene)
    scene.client("glue").delete_connection(ConnectionName=STACK)

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert connection(scene) == before


def test_connection_of_somebody_else(scene: Scene) -> None:
    """Somebody else's Glue connection has the name."""
    before = connection(scene)
    change_connection(scene, Description="Made by hand", ConnectionProperties={"JDBC_CONNECTION_URL": "jdbc:odd"})
    scene.undo.callback(change_connection, scene, **before)
    theirs = connection(scene)

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", "this project did not create it", "delete it")
    assert connection(scene) == theirs


@pytest.mark.parametrize("what", ["subnet", "host", "secret", "half-created"])
def test_connection_drifted(scene: Scene, what: str) -> None:
    """The Glue connection is not what it should be."""
    before = connection(scene)
    properties, physical = before["ConnectionProperties"], before[PHYSICAL]
    if what == "subnet":
        change_connection(scene, **{PHYSICAL: {**physical, "SubnetId": "subnet-of-another-vpc"}})
    elif what == "host":
        odd = {**properties, "JDBC_CONNECTION_URL": "jdbc:postgresql://elsewhere:5432/odd"}
        change_connection(scene, ConnectionProperties=odd)
    elif what == "secret":
        change_connection(scene, ConnectionProperties={**properties, "SECRET_ID": "another-secret"})
    else:
        change_connection(scene, ConnectionProperties={}, **{PHYSICAL: {}})

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert connection(scene) == before


def test_connection_made_without_an_answer(scene: Scene) -> None:
    """CreateConnection makes the Glue connection, but its answer is lost."""
    before = connection(scene)
    scene.client("glue").delete_connection(ConnectionName=STACK)
    lost = scene.faults.refuse("glue", "CreateConnection", "InternalServiceException", 500, after=True)

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert lost.hits == 1
    assert connection(scene) == before


def test_connection_deleted_before_the_run(scene: Scene) -> None:
    """The Glue connection is deleted after it was prepared; a new execution makes it again."""
    before = connection(scene)
    with scene.faults.held(*HOLD_RUN) as held:
        scene.start(include_tables=SMALL)
        held.wait()
        scene.client("glue").delete_connection(ConnectionName=STACK)
    scene.must_fail("definitions", STACK, "new execution")

    scene.start(include_tables=SMALL)

    scene.must_complete()
    assert connection(scene) == before


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING", "UNAVAILABLE"])
def test_environment_not_available(scene: Scene, status: str) -> None:
    """The MWAA environment is not available."""
    scene.faults.amend("airflow", "GetEnvironment", "Environment", {"Status": status}, times=None)

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", f"MWAA environment {ENVIRONMENT} is {status}", "wait until it is AVAILABLE")


def test_environment_updating_for_a_while(scene: Scene) -> None:
    """The MWAA environment is being updated; a redrive after that exports."""
    updating = scene.faults.amend("airflow", "GetEnvironment", "Environment", {"Status": "UPDATING"}, times=None)
    scene.start(include_tables=SMALL)
    scene.must_fail("UPDATING", "redrive the execution")
    updating.remove()

    control.redrive(scene)

    control.must_be_noticed(scene, 0)


def test_environment_missing(scene: Scene) -> None:
    """The MWAA environment is missing."""
    scene.faults.refuse("airflow", "GetEnvironment", "ResourceNotFoundException", 404)

    scene.start(include_tables=SMALL)

    scene.must_fail("Prepare Connection", f"there is no MWAA environment {ENVIRONMENT}", "deploy the stack")
