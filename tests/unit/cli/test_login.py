"""Nobody is logged in, the login has expired, no region or profile: the one thing to do is said, whatever was asked."""

from pathlib import Path

import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from tests.unit.cli.environment import refusal

COMMANDS = (["doctor"], ["show", "--bucket", "b", "-e", "prod"])
LATE = "Signature expired: 20261211T143022Z is now earlier than 20261211T150022Z (20261211T150522Z - 5 min.)"
LOGIN = "aws sso login --profile work"


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), f"You are not logged in to AWS. Log in ({LOGIN}, or aws configure)."),
        (PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"), "You are not logged in"),
        (SSOTokenLoadError(error_msg="no token"), f"Log in again: {LOGIN}"),
        (UnauthorizedSSOTokenError(), f"Log in again: {LOGIN}"),
        (TokenRetrievalError(provider="sso", error_msg="Token has expired"), f"Log in again: {LOGIN}"),
        (refusal("ExpiredToken"), f"Your AWS login has expired. Log in again ({LOGIN})"),
        (refusal("ExpiredTokenException"), "Your AWS login has expired"),
        (refusal("InvalidClientTokenId"), "AWS does not know these credentials (InvalidClientTokenId)"),
        (refusal("UnrecognizedClientException"), "AWS does not know these credentials"),
        (refusal("SignatureDoesNotMatch", message=LATE), f"The clock of this machine is wrong ({LATE}). Set it"),
        (refusal("InvalidSignatureException", message=LATE), "The clock of this machine is wrong"),
        (refusal("RequestTimeTooSkewed"), "The clock of this machine is wrong"),
        (NoRegionError(), "No AWS region is known. Say it with --region, or set AWS_REGION."),
        (EndpointConnectionError(endpoint_url="https://x.eu-centrl-1"), "and the name of the region (--region)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_given_no_login_then_the_next_action_is_to_log_in(fakes, run, monkeypatch, tmp_path, arguments, error, said):
    def refuse(*_: object, **__: object) -> None:
        raise error

    class Refusing:
        def __getattr__(self, name: str) -> object:
            return refuse

    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "work")
    for service in ("cloudformation", "s3", "stepfunctions", "mwaa", "iam"):
        fakes[service] = Refusing()
    result = run(*arguments)
    assert (result.code, result.err.count("\n"), result.out) == (3, 1, "")
    assert said in result.err
    assert "--bucket" not in result.err


def test_given_a_profile_that_is_not_there_then_those_that_are_are_named(run, monkeypatch, tmp_path: Path):
    config = tmp_path / "config"
    config.write_text("[profile dev]\nregion = eu-west-1\n[profile prod]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    result = run("list", "--profile", "nosuch")
    assert (result.code, result.err.count("\n")) == (3, 1)
    assert "There is no AWS profile nosuch. Or name a profile with --profile: dev, prod." in result.err
