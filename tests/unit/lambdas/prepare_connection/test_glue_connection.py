"""The Glue connection."""

from dataclasses import replace

import pytest
from botocore.stub import Stubber
from export_contracts.connection_mark import MARK
from export_runtime import clients
from export_runtime.errors import AwsCallError, ContentionError, TransientError
from prepare_connection.database_secret import DatabaseAddress
from prepare_connection.errors import ForeignConnectionError
from prepare_connection.glue_connection import (
    PROPERTY_LIMIT,
    ConnectionTarget,
    GlueConnections,
    connection_input,
    differs,
    limit_problems,
)

from tests.unit.lambdas.prepare_connection.networks import subnet

TARGET = ConnectionTarget(
    name="prod-metadata-export",
    environment="prod",
    secret_arn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod-metadata-export/database-AbCdEf",
    database=DatabaseAddress("db.example.com", 5432, "AirflowMetadata", enforce_tls=True),
    subnet=subnet("subnet-a"),
    security_group_ids=("sg-2", "sg-1"),
)
WANTED = connection_input(TARGET)
PROPERTIES = WANTED["ConnectionProperties"]
REQUIREMENTS = WANTED["PhysicalConnectionRequirements"]


@pytest.fixture
def stub():
    """Give a scripted Glue client."""
    with Stubber(clients.glue()) as stub:
        yield stub
        stub.assert_no_pending_responses()


def found(stub, **changes) -> None:
    """Let the client find the connection as wanted, with changes."""
    stub.add_response("get_connection", {"Connection": {**WANTED, "Status": "READY", **changes}})


def missing(stub) -> None:
    """Let the client find no connection."""
    stub.add_client_error("get_connection", "EntityNotFoundException")


def test_given_a_target_then_the_connection_names_the_secret_and_holds_no_credentials():
    assert WANTED["ConnectionType"] == "JDBC"
    assert WANTED["ConnectionProperties"] == {
        "JDBC_CONNECTION_URL": "jdbc:postgresql://db.example.com:5432/AirflowMetadata",
        "JDBC_ENFORCE_SSL": "true",
        "SECRET_ID": TARGET.secret_arn,
    }
    assert WANTED["PhysicalConnectionRequirements"] == {
        "SubnetId": "subnet-a",
        "SecurityGroupIdList": ["sg-1", "sg-2"],
        "AvailabilityZone": "eu-central-1a",
    }


def test_given_the_connection_then_every_property_is_one_that_glue_knows():
    properties = clients.glue().meta.service_model.shape_for("ConnectionProperties")
    assert WANTED["ConnectionProperties"].keys() <= set(properties.key.enum)
    assert properties.value.metadata["max"] == PROPERTY_LIMIT


def test_given_no_connection_then_it_is_created(aws):
    assert GlueConnections(clients.glue()).ensure(WANTED) == "created"
    stored = clients.glue().get_connection(Name=TARGET.name)["Connection"]
    assert stored["ConnectionProperties"] == PROPERTIES
    assert stored["PhysicalConnectionRequirements"] == REQUIREMENTS


def test_given_our_connection_is_as_it_should_be_then_nothing_is_written(stub):
    found(stub)
    assert GlueConnections(stub.client).ensure(WANTED) == "unchanged"


def other_database(**changes) -> dict:
    """Return what the connection looks like when it leads to another database."""
    target = replace(TARGET, database=replace(TARGET.database, **changes))
    return {"ConnectionProperties": connection_input(target)["ConnectionProperties"]}


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(other_database(host="old.example.com"), id="host"),
        pytest.param(other_database(port=5433), id="port"),
        pytest.param(other_database(name="other"), id="database"),
        pytest.param(other_database(enforce_tls=False), id="TLS"),
        pytest.param({"ConnectionProperties": {**PROPERTIES, "SECRET_ID": "old"}}, id="secret"),
        pytest.param({"ConnectionProperties": {**PROPERTIES, "USERNAME": "x", "PASSWORD": "y"}}, id="credentials"),
        pytest.param({"ConnectionProperties": {}}, id="half-created, no properties"),
        pytest.param({"PhysicalConnectionRequirements": {**REQUIREMENTS, "SubnetId": "subnet-z"}}, id="subnet"),
        pytest.param({"PhysicalConnectionRequirements": {**REQUIREMENTS, "AvailabilityZone": "z"}}, id="zone"),
        pytest.param(
            {"PhysicalConnectionRequirements": {**REQUIREMENTS, "SecurityGroupIdList": ["sg-1"]}}, id="a group less"
        ),
        pytest.param(
            {"PhysicalConnectionRequirements": {**REQUIREMENTS, "SecurityGroupIdList": ["sg-1", "sg-2", "sg-3"]}},
            id="a group more",
        ),
        pytest.param({"PhysicalConnectionRequirements": {}}, id="half-created, no network"),
        pytest.param({"ConnectionType": "NETWORK"}, id="type"),
        pytest.param({"Description": f"{MARK} for another"}, id="description"),
        pytest.param({"Status": "FAILED"}, id="did not come up"),
    ],
)
def test_given_our_connection_drifted_then_it_is_repaired(stub, drift):
    found(stub, **drift)
    stub.add_response("update_connection", {}, {"Name": TARGET.name, "ConnectionInput": WANTED})
    assert GlueConnections(stub.client).ensure(WANTED) == "updated"


def test_given_security_groups_in_another_order_then_nothing_changed():
    existing = {**WANTED, "PhysicalConnectionRequirements": dict(WANTED["PhysicalConnectionRequirements"])}
    existing["PhysicalConnectionRequirements"]["SecurityGroupIdList"] = ["sg-2", "sg-1"]
    assert not differs(existing, WANTED)


@pytest.mark.parametrize("description", ["", "made by hand", f"not {MARK}"])
def test_given_a_connection_that_is_not_ours_then_it_is_left_alone(stub, description):
    found(stub, Description=description, ConnectionProperties={})
    with pytest.raises(ForeignConnectionError, match=r"prod-metadata-export exists.*left alone: delete it"):
        GlueConnections(stub.client).ensure(WANTED)


def test_given_somebody_creates_it_first_then_theirs_is_compared(stub):
    missing(stub)
    stub.add_client_error("create_connection", "AlreadyExistsException")
    found(stub)
    assert GlueConnections(stub.client).ensure(WANTED) == "unchanged"


def test_given_somebody_deletes_it_meanwhile_then_it_is_created(stub):
    found(stub, ConnectionProperties={})
    stub.add_client_error("update_connection", "EntityNotFoundException")
    missing(stub)
    stub.add_response("create_connection", {})
    assert GlueConnections(stub.client).ensure(WANTED) == "created"


def test_given_it_comes_and_goes_then_trying_ends(stub):
    for _ in range(3):
        missing(stub)
        stub.add_client_error("create_connection", "AlreadyExistsException")
    with pytest.raises(ContentionError) as caught:
        GlueConnections(stub.client).ensure(WANTED)
    assert isinstance(caught.value, TransientError)


def test_given_access_is_denied_then_nothing_is_created(stub):
    stub.add_client_error("get_connection", "AccessDeniedException")
    with pytest.raises(AwsCallError, match="prod-metadata-export"):
        GlueConnections(stub.client).ensure(WANTED)


def test_given_values_beyond_glues_limits_then_each_is_a_problem():
    long_name = replace(TARGET.database, name="d" * PROPERTY_LIMIT)
    groups = tuple(f"sg-{number}" for number in range(51))
    problems = limit_problems(replace(TARGET, database=long_name, security_group_ids=groups))
    assert [("JDBC_CONNECTION_URL" in problem, "51" in problem) for problem in problems] == [
        (True, False),
        (False, True),
    ]
    assert limit_problems(TARGET) == []
