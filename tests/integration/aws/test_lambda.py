"""Lambda: functions see what a function sees on AWS, and fail as they fail there."""

import json
from typing import Any

import pytest

from tests.emulated_account import EVERYTHING, Account


def invoke(account: Account, code: str, **settings: Any) -> tuple[str | None, Any]:
    """Kind of error, and payload."""
    function = account.function(code, **settings)
    answer = account.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    return answer.get("FunctionError"), json.load(answer["Payload"])


@pytest.mark.on_aws
def test_given_function_when_invoked_then_only_boto3_is_there(account: Account) -> None:
    names = ["boto3", "ministack", "aws_lambda_powertools", "psycopg"]
    code = f"from importlib.util import find_spec\ndef handler(*_):\n    return [n for n in {names} if find_spec(n)]"

    assert invoke(account, code) == (None, ["boto3"])


@pytest.mark.on_aws
@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("import boto3\ndef handler(event, context):\n    raise KeyError('x')", "KeyError", "'x'"),
        ("import no_such_module\ndef handler(event, context): pass", "Runtime.ImportModuleError", "no_such_module"),
        ("import os\ndef handler(event, context):\n    os._exit(1)", "Runtime.ExitError", "exited"),
        (
            "import time\ndef handler(event, context):\n    time.sleep(60)",
            "Sandbox.Timedout",
            "timed out after 1.00 seconds",
        ),
    ],
    ids=["exception", "import", "exit", "time-out"],
)
def test_given_function_that_fails_when_invoked_then_error_type_says_how(
    account: Account, code: str, error_type: str, message: str
) -> None:
    kind, payload = invoke(account, code, Timeout=1 if "sleep" in code else 60)

    assert (kind, payload["errorType"]) == ("Unhandled", error_type)
    assert message in payload["errorMessage"]


@pytest.mark.on_aws
def test_given_role_without_permission_when_function_calls_s3_then_refused(account: Account) -> None:
    code = "import boto3\ndef handler(event, context):\n    boto3.client('s3').list_buckets()"

    kind, payload = invoke(account, code, role=account.role("lambda", {**EVERYTHING, "Action": "sqs:*"}))

    assert kind == "Unhandled"
    assert (payload["errorType"], "AccessDenied" in payload["errorMessage"]) == ("AccessDenied", True)


def test_given_role_that_does_not_trust_lambda_when_invoked_then_refused(account: Account) -> None:
    kind, payload = invoke(account, "def handler(event, context): pass", role=account.role("glue", EVERYTHING))

    assert kind == "Unhandled"
    assert "does not let lambda.amazonaws.com assume it" in payload["errorMessage"]


@pytest.mark.on_aws
def test_given_function_that_raised_when_invoked_again_then_its_environment_is_the_same(account: Account) -> None:
    function = account.function("import os\ndef handler(event, context):\n    raise ValueError(os.getpid())")
    client = account.client("lambda")

    payloads = [json.load(client.invoke(FunctionName=function)["Payload"]) for _ in range(2)]

    assert payloads[0]["errorMessage"] == payloads[1]["errorMessage"]
    assert payloads[0]["requestId"] != payloads[1]["requestId"]
