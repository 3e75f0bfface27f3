"""Other executions of the state machine."""

from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from export_runtime.errors import AwsCallError
from export_runtime.executions import Executions

from tests.unit.lambdas.plan_export.cases import OTHER_ARN


@pytest.fixture
def stub():
    """Give a scripted Step Functions client."""
    with Stubber(clients.step_functions()) as stub:
        yield stub


@pytest.mark.parametrize(
    ("status", "running"),
    [
        ("RUNNING", True),
        ("PENDING_REDRIVE", True),
        ("SUCCEEDED", False),
        ("FAILED", False),
        ("TIMED_OUT", False),
        ("ABORTED", False),
    ],
)
def test_given_a_status_then_only_an_unfinished_execution_runs(stub, status, running):
    answer = {"stateMachineArn": OTHER_ARN, "executionArn": OTHER_ARN, "status": status, "startDate": datetime.now(UTC)}
    stub.add_response("describe_execution", answer, {"executionArn": OTHER_ARN})
    assert Executions(stub.client).is_running(OTHER_ARN) is running


@pytest.mark.parametrize("code", ["ExecutionDoesNotExist", "InvalidArn"])
def test_given_an_execution_that_does_not_exist_then_it_does_not_run(stub, code):
    stub.add_client_error("describe_execution", code)
    assert not Executions(stub.client).is_running(OTHER_ARN)


def test_given_access_is_denied_then_that_is_an_error_and_no_answer(stub):
    stub.add_client_error("describe_execution", "AccessDeniedException", http_status_code=400)
    with pytest.raises(AwsCallError, match=r"_current\.json"):
        Executions(stub.client).is_running(OTHER_ARN)
