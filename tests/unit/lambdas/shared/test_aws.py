"""How AWS is called."""

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ParamValidationError
from export_runtime import clients
from export_runtime.aws import CLIENT_CONFIG, aws_call
from export_runtime.errors import AwsCallError, AwsUnavailableError, TerminalError, TransientError


def client_error(code: str, status: int = 400, message: str = "said so") -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op"
    )


@pytest.mark.parametrize(
    "raised",
    [
        client_error("SlowDown", 503),
        client_error("ThrottlingException"),
        client_error("KMS.ThrottlingException"),
        client_error("OperationAborted", 409),
        client_error("BadDigest"),
        client_error("RequestTimeTooSkewed", 403),
        client_error("SomethingNew", 500),
        ConnectTimeoutError(endpoint_url="https://x"),
        EndpointConnectionError(endpoint_url="https://x"),
    ],
    ids=lambda raised: type(raised).__name__ + str(getattr(raised, "response", {}).get("Error", {}).get("Code", "")),
)
def test_given_aws_is_busy_or_unreachable_then_the_error_is_transient(raised):
    with pytest.raises(AwsUnavailableError, match="Could not read it") as caught, aws_call("read it", "Look."):
        raise raised
    assert isinstance(caught.value, TransientError)


@pytest.mark.parametrize(
    "raised", [client_error("AccessDenied", 403), ParamValidationError(report="bad")], ids=["denied", "bad"]
)
def test_given_aws_refuses_then_the_error_is_terminal_and_gives_advice(raised):
    with pytest.raises(AwsCallError, match=r"Could not read it .* Look at the role\.") as caught:  # noqa: SIM117
        with aws_call("read it", "Look at the role."):
            raise raised
    assert isinstance(caught.value, TerminalError)


def test_given_a_bucket_that_is_gone_then_the_error_says_how_to_get_one_and_nothing_of_permissions():
    with pytest.raises(AwsCallError) as caught, aws_call("read it", "Look at the role."):
        raise client_error("NoSuchBucket", 404)
    assert "The bucket is gone: `mwaa-metadata-export doctor` says how to get another one" in str(caught.value)
    assert "Look at the role" not in str(caught.value)


def test_given_a_hostile_error_text_then_it_cannot_forge_lines():
    with pytest.raises(AwsCallError) as caught, aws_call("read it", "Look."):
        raise client_error("X", message="bad\nERROR all is lost")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "maker",
    [clients.s3, clients.step_functions, clients.secrets_manager, clients.mwaa, clients.ec2, clients.glue],
    ids=lambda maker: maker.__name__,
)
def test_given_any_client_then_its_calls_are_bounded_in_time_and_attempts(maker):
    config = maker().meta.config
    for name in ("connect_timeout", "read_timeout", "retries"):
        assert getattr(config, name) == getattr(CLIENT_CONFIG, name)
