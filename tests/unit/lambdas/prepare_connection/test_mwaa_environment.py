"""The MWAA environment."""

from dataclasses import replace

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from export_runtime.errors import AwsCallError
from prepare_connection.mwaa_environment import environment_problems, read_environment

from tests.unit.lambdas.prepare_connection.networks import ENVIRONMENT

ANSWER = {
    "Environment": {
        "Name": "prod",
        "Status": "AVAILABLE",
        "AirflowVersion": "3.0.6",
        "NetworkConfiguration": {"SubnetIds": ["subnet-a", "subnet-b"], "SecurityGroupIds": ["sg-1"]},
    }
}


@pytest.fixture
def stub():
    """Give a scripted MWAA client."""
    with Stubber(clients.mwaa()) as stub:
        yield stub


def test_given_an_environment_then_what_matters_of_it_is_read(stub):
    stub.add_response("get_environment", ANSWER, {"Name": "prod"})
    assert read_environment(stub.client, "prod") == ENVIRONMENT


def test_given_no_environment_then_there_is_none_and_that_is_a_problem(stub):
    stub.add_client_error("get_environment", "ResourceNotFoundException")
    assert read_environment(stub.client, "prod") is None
    assert "no MWAA environment prod" in environment_problems(None, "prod")[0]


def test_given_access_is_denied_then_the_error_names_the_permission(stub):
    stub.add_client_error("get_environment", "AccessDeniedException", http_status_code=403)
    with pytest.raises(AwsCallError, match="airflow:GetEnvironment"):
        read_environment(stub.client, "prod")


@pytest.mark.parametrize("status", clients.mwaa().meta.service_model.shape_for("EnvironmentStatus").enum)
def test_given_any_status_that_aws_knows_then_only_a_standing_environment_is_used(status):
    problems = environment_problems(replace(ENVIRONMENT, status=status), "prod")
    if status in ("AVAILABLE", "UPDATE_FAILED"):
        assert problems == []
    else:
        assert f"prod is {status}" in problems[0]
        assert "redrive" in problems[0]
