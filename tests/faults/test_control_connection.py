"""Faults of what an export needs to be there: the secret, the Glue connection, the MWAA environment."""

from typing import Any

import pytest

from local.fault_matrix import control
from local.fault_matrix.scenario import Scenario
from local.pipeline import ENVIRONMENT, STACK

SMALL = ["variable"]
HOLD_RUN = ("glue", "StartJobRun")
PHYSICAL = "PhysicalConnectionRequirements"


def connection(scenario: Scenario) -> dict[str, Any]:
    """Return the Glue connection in the form in which it can be given back, but for its times."""
    found = scenario.client("glue").get_connection(Name=STACK)["Connection"]
    return {name: found[name] for name in ("Name", "Description", "ConnectionType", "ConnectionProperties", PHYSICAL)}


def change_connection(scenario: Scenario, **changes: Any) -> None:
    scenario.client("glue").update_connection(Name=STACK, ConnectionInput={**connection(scenario), **changes})


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
def test_secret_malformed(scenario: Scenario, secret: str, said: str) -> None:
    """The secret is malformed."""
    secrets = scenario.client("secretsmanager")
    secrets.put_secret_value(SecretId=scenario.pipeline.outputs["SecretArn"], SecretString=secret)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", said, "trigger the DAG")
    assert control.runs_of(scenario) == []


def test_secret_without_a_value(scenario: Scenario) -> None:
    """The secret has no value yet, because the DAG has never run."""
    scenario.faults.refuse("secretsmanager", "GetSecretValue", "ResourceNotFoundException")

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", "the secret has no value yet", "trigger the DAG")


def delete_secret(scenario: Scenario) -> None:
    secrets, secret = scenario.client("secretsmanager"), scenario.pipeline.outputs["SecretArn"]
    secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    scenario.undo.callback(secrets.restore_secret, SecretId=secret)


def test_secret_deleted(scenario: Scenario) -> None:
    """The secret is scheduled for deletion."""
    delete_secret(scenario)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", "Could not read secret", "restore it")


def test_secret_deleted_before_the_run(scenario: Scenario) -> None:
    """The secret is scheduled for deletion after the connection was prepared."""
    with scenario.faults.held(*HOLD_RUN) as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        delete_secret(scenario)

    scenario.must_fail("definitions", "cannot read the secret", "restore it")


def test_connection_missing(scenario: Scenario) -> None:
    """The Glue connection is missing."""
    before = connection(scenario)
    scenario.client("glue").delete_connection(ConnectionName=STACK)

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert connection(scenario) == before


def test_connection_of_somebody_else(scenario: Scenario) -> None:
    """Somebody else's Glue connection has the name."""
    before = connection(scenario)
    change_connection(scenario, Description="Made by hand", ConnectionProperties={"JDBC_CONNECTION_URL": "jdbc:odd"})
    scenario.undo.callback(change_connection, scenario, **before)
    theirs = connection(scenario)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", "this project did not create it", "delete it")
    assert connection(scenario) == theirs


@pytest.mark.parametrize("what", ["subnet", "host", "secret", "half-created"])
def test_connection_drifted(scenario: Scenario, what: str) -> None:
    """The Glue connection is not what it should be."""
    before = connection(scenario)
    properties, physical = before["ConnectionProperties"], before[PHYSICAL]
    if what == "subnet":
        change_connection(scenario, **{PHYSICAL: {**physical, "SubnetId": "subnet-of-another-vpc"}})
    elif what == "host":
        odd = {**properties, "JDBC_CONNECTION_URL": "jdbc:postgresql://elsewhere:5432/odd"}
        change_connection(scenario, ConnectionProperties=odd)
    elif what == "secret":
        change_connection(scenario, ConnectionProperties={**properties, "SECRET_ID": "another-secret"})
    else:
        change_connection(scenario, ConnectionProperties={}, **{PHYSICAL: {}})

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert connection(scenario) == before


def test_connection_made_without_an_answer(scenario: Scenario) -> None:
    """CreateConnection makes the Glue connection, but its answer is lost."""
    before = connection(scenario)
    scenario.client("glue").delete_connection(ConnectionName=STACK)
    lost = scenario.faults.refuse("glue", "CreateConnection", "InternalServiceException", 500, after=True)

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert lost.hits == 1
    assert connection(scenario) == before


def test_connection_deleted_before_the_run(scenario: Scenario) -> None:
    """The Glue connection is deleted after it was prepared; a new execution makes it again."""
    before = connection(scenario)
    with scenario.faults.held(*HOLD_RUN) as held:
        scenario.start(include_tables=SMALL)
        held.wait()
        scenario.client("glue").delete_connection(ConnectionName=STACK)
    scenario.must_fail("definitions", STACK, "does not prepare the Glue connection again")

    scenario.start(include_tables=SMALL)

    scenario.must_complete()
    assert connection(scenario) == before


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING", "UNAVAILABLE"])
def test_environment_not_available(scenario: Scenario, status: str) -> None:
    """The MWAA environment is not available."""
    scenario.faults.amend("airflow", "GetEnvironment", "Environment", {"Status": status}, times=None)

    scenario.start(include_tables=SMALL)

    scenario.must_fail(
        "Prepare Connection", f"MWAA environment {ENVIRONMENT} is {status}", "wait until it is AVAILABLE"
    )


def test_environment_updating_for_a_while(scenario: Scenario) -> None:
    """The MWAA environment is being updated; a redrive after that exports."""
    updating = scenario.faults.amend("airflow", "GetEnvironment", "Environment", {"Status": "UPDATING"}, times=None)
    scenario.start(include_tables=SMALL)
    scenario.must_fail("UPDATING", "redrive the execution")
    updating.remove()

    control.redrive(scenario)

    control.must_be_noticed(scenario, 0)


def test_environment_missing(scenario: Scenario) -> None:
    """The MWAA environment is missing."""
    scenario.faults.refuse("airflow", "GetEnvironment", "ResourceNotFoundException", 404)

    scenario.start(include_tables=SMALL)

    scenario.must_fail("Prepare Connection", f"there is no MWAA environment {ENVIRONMENT}", "deploy the stack")
