"""Other executions of the state machine."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from export_runtime.aws import aws_call, error_code

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_ACTIVE = ("RUNNING", "PENDING_REDRIVE")


class Executions:
    """Answers whether an execution is still at work."""

    def __init__(self, client: "SFNClient") -> None:
        """Use a client that was made with ``CLIENT_CONFIG``."""
        self._client = client

    def is_running(self, arn: str) -> bool:
        """Say whether this execution has not ended; one that does not exist has.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(
            f"look at execution {arn}", "If that execution is not of this stack, delete _runs/_current.json."
        ):
            try:
                return self._client.describe_execution(executionArn=arn)["status"] in _ACTIVE
            except ClientError as error:
                if error_code(error) in ("ExecutionDoesNotExist", "InvalidArn"):
                    return False
                raise

    def last_state(self, arn: str) -> str | None:
        """Return the state that an execution entered last, or None when its history does not say.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"read the history of execution {arn}", "Check that the function's role allows it."):
            events = self._client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=200)["events"]
        entered = (event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event)
        return next(entered, None)
