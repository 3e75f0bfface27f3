"""The verdict on one thing, and what all checks look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from prepare_connection.mwaa_environment import MwaaEnvironment, read_environment

from export_cli.aws import Aws, call, read_or_none
from export_cli.target import Target

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
Problem = tuple[str, str]
"""what is wrong, and the fix"""


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
    """Return that it could not be found out, and what would make that possible."""
    return Finding(UNKNOWN, detail, fix)


class Patient:
    """What is examined. What several checks look at is read once."""

    def __init__(self, aws: Aws, target: Target, now: datetime, fresh_hours: int, account: str = "") -> None:
        """Examine an environment.

        Args:
            aws: the account.
            target: the environment.
            now: UTC.
            fresh_hours: for how many hours an export is fresh.
            account: options --region and --profile, as the person gave them, for the commands in a fix.
        """
        self.aws, self.target, self.now, self.fresh_hours = aws, target, now, fresh_hours
        self._account = f" {account}" if account else ""
        self.bad: list[str] = []
        """checks that have failed so far"""

    def ours(self, command: str) -> str:
        """Return a command of this command line as a person can run it."""
        name, _, options = command.partition(" ")
        return f"mwaa-metadata-export {name} -e {self.target.environment}{self._account} {options}".strip()

    def aws_cli(self, command: str) -> str:
        """Return a command of the AWS CLI as a person can run it."""
        return f"aws {command}{self._account}"

    def after(self, needed: Iterable[str], fix: str) -> str:
        """Return a fix that cannot work until what fails is put right: then that comes first.

        Args:
            needed: checks that it needs.
            fix: what to do then.
        """
        first = [name for name in self.bad if name in needed]
        return f"First put right: {', '.join(first)}. Then: {fix}" if first else fix

    @cached_property
    def described(self) -> dict[str, Any] | None:
        """The MWAA environment as GetEnvironment describes it, or None when there is none."""
        name = self.target.environment
        with call(f"look at MWAA environment {name}", "Allow airflow:GetEnvironment on it."):
            client = self.aws.client("mwaa")
            found: dict[str, Any] | None = read_or_none(lambda: client.get_environment(Name=name)["Environment"])
        return found

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
