"""The options that every command has, and what a command gets from them."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

import click
from export_runtime.store import ObjectStore

from export_cli.aws import Aws
from export_cli.exports import Exports
from export_cli.screen import Screen
from export_cli.target import Choice, Target, find_target, store

_OPTIONS = (
    click.option(
        "--environment", "-e", envvar="MWAA_EXPORT_ENVIRONMENT", metavar="NAME",
        help="MWAA environment; not needed when the region has one stack. Variable: MWAA_EXPORT_ENVIRONMENT.",
    ),
    click.option("--region", metavar="REGION", help="AWS region. Variable: AWS_REGION or AWS_DEFAULT_REGION."),
    click.option("--profile", metavar="NAME", help="AWS profile. Variable: AWS_PROFILE."),
    click.option("--stack", metavar="NAME", help="CloudFormation stack, when it is not <environment>-metadata-export."),
    click.option("--bucket", metavar="NAME", help="Bucket of the exports, to do without the stack."),
    click.option("--base-prefix", metavar="PREFIX", help="First part of every key, with --bucket. Default: exports."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead, for scripts."),
)  # fmt: skip


@dataclass(frozen=True)
class Session:
    """What a command works with."""

    aws: Aws
    choice: Choice
    screen: Screen
    account: str = ""
    """options --region and --profile as they were given"""

    def ours(self, command: str, target: Target) -> str:
        """Return a command of this command line as a person can run it for an environment."""
        options = f"-e {target.environment} {self.account}".strip()
        return f"mwaa-metadata-export {command} {options}"

    def target(self) -> Target:
        """Return the environment that is meant; see ``find_target`` for errors."""
        return find_target(self.aws, self.choice)

    def exports(self, target: Target) -> Exports:
        """Return the exports of an environment."""
        return Exports(self.store(target), target.where(), target.coverage)

    def store(self, target: Target) -> ObjectStore:
        """Return the bucket with the exports of an environment."""
        return store(self.aws, target)


def with_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options, and a ``Session`` made of them as its first argument."""

    def run(
        environment: str | None, region: str | None, profile: str | None, stack: str | None, bucket: str | None,
        base_prefix: str | None, as_json: bool, **options: Any,
    ) -> Any:  # fmt: skip
        choice = Choice(environment, stack, bucket, base_prefix.strip("/") if base_prefix else None)
        # A region that is given empty is none: scripts write REGION="$REGION".
        given = {"--region": region, "--profile": profile}
        account = " ".join(f"{name} {shlex.quote(value)}" for name, value in given.items() if value)
        return command(Session(Aws(profile or None, region or _region()), choice, Screen(as_json), account), **options)

    wrapped = update_wrapper(run, command)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _region() -> str | None:
    # boto3 reads AWS_DEFAULT_REGION only, the AWS CLI and the other SDKs AWS_REGION first.
    return os.environ.get("AWS_REGION") or None
