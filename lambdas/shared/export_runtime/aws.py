"""How AWS is called: bounded in time and attempts, with errors that say what was being done."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004

from export_runtime.errors import ArchivedObjectError, AwsCallError, AwsUnavailableError
from export_runtime.text import one_line
from export_runtime.version import USER_AGENT

# Seconds. The Timeout of a function in template.yaml leaves room for all its calls, one after another, each as slow as
# its attempts allow; should the time run out all the same, the state machine calls the function again.
CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=7,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=16,
    user_agent_extra=USER_AGENT,
)

# AWS seen: a key that KMS throttles is KMS.ThrottlingException, with status 400, in the service that uses it.
# https://github.com/aws/aws-sdk-js-v3/tree/main/clients/client-sqs
_TRANSIENT_CODES = frozenset(
    {
        "BadDigest",
        "ConcurrentModificationException",
        "IncompleteBody",
        "InternalError",
        "InternalServiceException",
        "KMS.ThrottlingException",
        "OperationAborted",
        "OperationTimeoutException",
        "RequestLimitExceeded",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


_ARCHIVED = (
    "It is archived: restore it first (aws s3api restore-object), and let no lifecycle rule archive it so early "
    "(docs/configure.md)."
)

_NO_BUCKET = "The bucket is gone: `mwaa-metadata-export doctor` says how to get another one, which will be empty."


def error_code(error: ClientError) -> str:
    """Return the code of an AWS error, such as ``AccessDenied`` (for a HEAD request: the HTTP status)."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_call(action: str, advice: str) -> Iterator[None]:
    """Translate what the SDK raises inside the block.

    Args:
        action: what is being done, for the message: "read s3://bucket/key".
        advice: what the reader can do when AWS refuses.

    Raises:
        AwsUnavailableError: no answer, throttled or a server error, after the SDK's own retries.
        ArchivedObjectError: refused, because the object is archived.
        AwsCallError: refused.
    """
    try:
        yield
    except ClientError as error:
        detail = f"{error_code(error)}: {one_line(error.response.get('Error', {}).get('Message', ''), 500)}"
        if _is_transient(error):
            raise AwsUnavailableError(f"Could not {action} ({detail}). It may pass: try again.") from error
        if error_code(error) == "InvalidObjectState":
            raise ArchivedObjectError(f"Could not {action} ({detail}). {_ARCHIVED}") from error
        if error_code(error) == "NoSuchBucket":
            advice = _NO_BUCKET
        raise AwsCallError(f"Could not {action} ({detail}). {advice}") from error
    except (ConnectionError, HTTPClientError) as error:
        raise AwsUnavailableError(
            f"Could not {action} ({one_line(str(error), 500)}). It may pass: try again."
        ) from error
    except BotoCoreError as error:
        raise AwsCallError(f"Could not {action} ({one_line(str(error), 500)}). {advice}") from error


def _is_transient(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _TRANSIENT_CODES or status >= 500
