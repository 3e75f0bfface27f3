"""The verdict on one thing, and what all checks look at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from prepare_connection.mwaa_environment import MwaaEnvironment, read_environment

from mwaa_metadata_export.aws import Aws, call, missing
from mwaa_metadata_export.target import Target

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"


@dataclass(frozen=True)
class Finding:
    """A verdict (``pass``, ``fail`` or ``unknown``), why, and what to do about it."""

    verdict: str
    detail: str
    fix: str = ""


def passed(detail: str) -> Finding:
    """Return that something holds."""
    return Finding(PASS, detail)


def failed(detail: str, fix: str) -> Finding:
    """Return that something does not hold, and the fix."""
    return Finding(FAIL, detail, fix)


def unknown(detail: str, fix: str) -> Finding:
    """Return that it could not be found out, and what would allow to."""
    return Finding(UNKNOWN, detail, fix)


class Patient:
    """What is examined. What several checks look at is read once."""

    def __init__(self, aws: Aws, target: Target, now: datetime, fresh_hours: int) -> None:
        """Examine this environment at this time, UTC; an export is fresh for so many hours."""
        self.aws, self.target, self.now, self.fresh_hours = aws, target, now, fresh_hours

    @cached_property
    def environment(self) -> MwaaEnvironment | None:
        """The MWAA environment, or None when there is none."""
        return read_environment(self.aws.client("mwaa"), self.target.environment)

    @cached_property
    def secret(self) -> str | None:
        """What the secret holds, or None when it or its value is missing. Never to be shown."""
        name = self.secret_name
        with call(f"read secret {name}", "Allow secretsmanager:GetSecretValue on it and kms:Decrypt with its key."):
            client = self.aws.client("secretsmanager")
            found: dict[str, str] = read_or_none(lambda: client.get_secret_value(SecretId=name)) or {}
        return found.get("SecretString")

    @property
    def secret_name(self) -> str:
        """ARN of the secret if the stack is known, else its name."""
        stack = self.target.stack
        return (stack.outputs.get("SecretArn") if stack else None) or f"{self.target.name}/database"


def read_or_none(read: Callable[[], Any]) -> Any:
    """Return what a call returns, or None when AWS answers that there is no such thing."""
    try:
        return read()
    except ClientError as error:
        if missing(error):
            return None
        raise
