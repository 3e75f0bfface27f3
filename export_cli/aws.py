"""AWS as the command line sees it: one session, clients that are bounded in time, errors that say what to do."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from export_runtime.aws import aws_call, error_code
from export_runtime.errors import AwsUnavailableError
from export_runtime.text import one_line
from export_runtime.version import USER_AGENT
from urllib3.exceptions import HTTPError

from export_cli.errors import InvalidOptionError

_ADVICE = "Check --profile and --region, and whether your credentials are valid (aws sts get-caller-identity)."
_MISSING = (
    "ResourceNotFoundException",
    "EntityNotFoundException",
    "NoSuchEntity",
    "NoSuchKey",
    "NoSuchBucket",
    "404",
    "NotFound",
    "NotFoundException",
    "StateMachineDoesNotExist",
    "ExecutionDoesNotExist",
)


class Aws:
    """An account and region, as --profile, --region and the standard environment variables say."""

    def __init__(self, profile: str | None, region: str | None) -> None:
        """Choose the session.

        Raises:
            AwsCallError: there is no such profile.
        """
        with aws_call("choose the AWS session", _ADVICE):
            self._session = boto3.Session(profile_name=profile, region_name=region)

    @cache  # noqa: B019 - lives as long as the process
    def client(self, service: str) -> Any:
        """Return the client of a service.

        Raises:
            AwsCallError: no region is known.
            InvalidOptionError: AWS_ENDPOINT_URL is no URL.
        """
        try:
            with aws_call(f"reach {service}", _ADVICE):
                return self._session.client(service, config=_config(service))  # type: ignore[call-overload]
        except ValueError as error:  # botocore's, of an endpoint without its scheme
            raise InvalidOptionError(f"Check the environment variable AWS_ENDPOINT_URL: {error}.") from error

    @property
    def region(self) -> str:
        """Name of the region, or an empty text."""
        return self._session.region_name or ""


@contextmanager
def call(action: str, advice: str = _ADVICE) -> Iterator[None]:
    """Translate what the SDK raises inside the block: ``aws_call`` with advice for a person at a terminal."""
    with aws_call(action, advice):
        try:
            yield
        except HTTPError as error:  # of a stream that ends: botocore translates the others
            raise AwsUnavailableError(f"Could not {action} ({one_line(str(error), 500)}). Try again.") from error


def missing(error: ClientError) -> bool:
    """Say whether AWS answered that there is no such thing."""
    return error_code(error) in _MISSING


def read_or_none(read: Callable[[], Any]) -> Any:
    """Return what a call returns, or None when AWS answers that there is no such thing."""
    try:
        return read()
    except ClientError as error:
        if missing(error):
            return None
        raise


def _config(service: str) -> Config:
    return Config(
        connect_timeout=5,
        # Lambda answers when the function has ended, and Publish Assets has four minutes.
        read_timeout=250 if service == "lambda" else 60,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=16,
        user_agent_extra=USER_AGENT,
        # `verify` computes checksums itself and reports what differs; the SDK would end the stream.
        response_checksum_validation="when_required",
        # A custom endpoint has no `api.` in its host name, which MWAA's API would prepend.
        inject_host_prefix=not os.environ.get("AWS_ENDPOINT_URL"),
    )
