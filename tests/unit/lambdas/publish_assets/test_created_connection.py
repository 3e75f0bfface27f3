"""The Glue connection goes with the stack, if it is ours."""

import json

import pytest
from botocore.stub import Stubber
from export_contracts.connection_mark import MARK
from export_runtime import clients
from export_runtime.errors import AwsCallError
from publish_assets import handler as entry
from publish_assets.cloudformation import Answer
from publish_assets.created_connection import RESOURCE_TYPE, apply_to_connection, connection_id_of
from publish_assets.errors import InvalidPropertiesError

from tests.unit.lambdas.publish_assets.cases import request_for

NAME = "prod-metadata-export"
PROPERTIES = {"ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:publish", "ConnectionName": NAME}
ID = f"connection-{NAME}"


def request(kind: str, **properties: str) -> dict:
    """Return a request about the connection."""
    event = request_for(kind, {**PROPERTIES, **properties}, ID if kind != "Create" else "")
    return {**event, "ResourceType": RESOURCE_TYPE, "LogicalResourceId": "CreatedConnection"}


@pytest.fixture
def glue(aws):
    """Give a Glue client and one connection of somebody else."""
    create(clients.glue(), "theirs", "made by hand")
    return clients.glue()


@pytest.fixture
def ours():
    """Give a Glue client that finds our connection and expects its deletion, which moto does not know."""
    found = {"Name": NAME, "Description": f"{MARK} for the MWAA environment prod."}
    with Stubber(clients.glue()) as stub:
        stub.add_response("get_connection", {"Connection": found}, {"Name": NAME, "HidePassword": True})
        stub.add_response("delete_connection", {}, {"ConnectionName": NAME})
        yield stub.client
        stub.assert_no_pending_responses()


def create(client, name: str, description: str) -> None:
    """Create a connection."""
    properties = {"JDBC_CONNECTION_URL": "jdbc:postgresql://db:5432/d", "SECRET_ID": "s"}
    client.create_connection(
        ConnectionInput={
            "Name": name,
            "Description": description,
            "ConnectionType": "JDBC",
            "ConnectionProperties": properties,
        }
    )


def names(client) -> list[str]:
    """Return the connections that are there."""
    return sorted(found["Name"] for found in client.get_connections()["ConnectionList"])


def test_given_our_connection_when_the_stack_is_deleted_then_it_is_deleted(ours):
    assert apply_to_connection(request("Delete"), ours) == {"Removed": NAME}


@pytest.mark.parametrize("description", ["", "made by hand", f"not {MARK}"])
def test_given_a_connection_that_is_not_ours_when_the_stack_is_deleted_then_it_stays(glue, description):
    create(glue, NAME, description)
    assert apply_to_connection(request("Delete"), glue) == {"Removed": ""}
    assert names(glue) == [NAME, "theirs"]


def test_given_no_connection_when_the_stack_is_deleted_then_that_is_fine(glue):
    assert apply_to_connection(request("Delete"), glue) == {"Removed": ""}


def test_given_somebody_deletes_it_at_the_same_time_then_that_is_fine():
    with Stubber(clients.glue()) as stub:
        stub.add_response("get_connection", {"Connection": {"Name": NAME, "Description": MARK}})
        stub.add_client_error("delete_connection", "EntityNotFoundException")
        assert apply_to_connection(request("Delete"), stub.client) == {"Removed": ""}


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_given_the_stack_is_created_or_updated_then_the_connection_is_left_alone(glue, kind):
    create(glue, NAME, MARK)
    apply_to_connection(request(kind), glue)
    assert names(glue) == [NAME, "theirs"]


def test_given_access_is_denied_then_the_error_names_connection_and_permission():
    with Stubber(clients.glue()) as stub:
        stub.add_client_error("get_connection", "AccessDeniedException", http_status_code=400)
        with pytest.raises(AwsCallError, match=rf"{NAME}.*glue:GetConnection"):
            apply_to_connection(request("Delete"), stub.client)


def test_given_no_name_then_the_error_says_what_is_missing(glue):
    with pytest.raises(InvalidPropertiesError, match="ConnectionName is missing"):
        apply_to_connection(request("Delete", ConnectionName=""), glue)


def test_given_another_environment_then_it_is_another_resource_and_a_delete_answers_with_what_it_got():
    assert connection_id_of(request("Create")) == connection_id_of(request("Update")) == ID
    assert connection_id_of(request("Update", ConnectionName="other")) == "connection-other"
    assert connection_id_of(request("Delete", ConnectionName="other")) == ID


def test_given_a_request_about_the_connection_then_the_function_answers_it(ours, context, monkeypatch):
    sent: list[dict] = []
    monkeypatch.setattr(entry, "Answer", lambda event: Answer(event, lambda url, body: sent.append(json.loads(body))))
    entry.handler(request("Delete"), context)
    assert [(answer["Status"], answer["PhysicalResourceId"]) for answer in sent] == [("SUCCESS", ID)]
