"""Which environment is meant, and where its parts are: the stack's outputs, or names derived as the template does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from export_contracts.coverage import Coverage
from export_contracts.layout import Layout
from export_runtime.aws import error_code
from export_runtime.store import ObjectStore
from plan_export.settings import read_coverage

from export_cli.aws import Aws, call
from export_cli.errors import InvalidOptionError, NotFoundError

SUFFIX = "metadata-export"
DEFAULT_BASE_PREFIX = "exports"
ASSETS_PREFIX = "assets/"  # then the environment: script and packages of the Glue job
_ADVICE = "With --environment and --bucket the stack is not needed to list, show, verify and compare exports."

BUCKET_ADVICE = "Check that your credentials may list and read this bucket and decrypt with its KMS key."


@dataclass(frozen=True)
class Choice:
    """What the person specified; None where nothing was."""

    environment: str | None = None
    stack: str | None = None
    bucket: str | None = None
    base_prefix: str | None = None


@dataclass(frozen=True)
class Stack:
    """A deployed stack of this project."""

    name: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def environment(self) -> str:
        """Name of the MWAA environment that it exports."""
        return self.parameters.get("MwaaEnvironmentName", "")


@dataclass(frozen=True)
class Target:
    """An environment's exports, and the stack that makes them if it is known."""

    environment: str
    layout: Layout | None
    stack: Stack | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of state machine, job, connection and schedule."""
        return f"{self.environment}-{SUFFIX}"

    def output(self, key: str) -> str:
        """Return an output of the stack.

        Raises:
            NotFoundError: there is no stack, or it has no such output.
        """
        value = self.stack.outputs.get(key) if self.stack else None
        if not value:
            raise NotFoundError(
                f"The stack of environment {self.environment} is not known or has no output {key}. "
                "Name it with --stack, or deploy it."
            )
        return value

    @property
    def coverage(self) -> Coverage | None:
        """What the stack's parameters ask for, so what a backup of the environment covers; None: no stack is known.

        Raises:
            ConfigurationError: a parameter is not what the template allows.
            NotFoundError: the stack does not have it.
        """
        if self.stack is None:
            return None
        return read_coverage(*map(self._parameter, ("MaxAgeInDays", "IncludeTables", "ExcludeTables")))

    def _parameter(self, name: str) -> str:
        if name not in self.parameters:
            raise NotFoundError(f"The stack of {self.environment} has no parameter {name}: deploy it again.")
        return self.parameters[name]

    def where(self) -> Layout:
        """Return where the exports are.

        Raises:
            NotFoundError: not known.
        """
        if self.layout is None:
            raise NotFoundError(
                f"No stack {self.name} was found, so the bucket is not known. Name it with --stack or --bucket."
            )
        return self.layout


def store(aws: Aws, target: Target) -> ObjectStore:
    """Return the bucket with the exports."""
    return ObjectStore(aws.client("s3"), target.where().bucket, BUCKET_ADVICE)


def find_target(aws: Aws, choice: Choice) -> Target:
    """Return what the person means.

    Raises:
        InvalidOptionError: too little was specified to tell which environment is meant.
        NotFoundError: there is no such stack.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    if choice.bucket and choice.environment and not choice.stack:
        base = choice.base_prefix or DEFAULT_BASE_PREFIX
        return Target(choice.environment, Layout(choice.bucket, base, choice.environment))
    stack = _find_stack(aws, choice)
    if choice.environment and choice.environment != stack.environment:
        raise InvalidOptionError(
            f"Stack {stack.name} exports the environment {stack.environment}, not {choice.environment}. "
            "Name one of them only, or both right."
        )
    return _target(stack, choice.bucket, choice.base_prefix)


def find_targets(aws: Aws) -> list[Target]:
    """Return the environments of all stacks of this project in the account and region, by name.

    Raises:
        NotFoundError: there is none.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    found = sorted(_all_stacks(aws), key=lambda stack: stack.environment)
    if not found:
        raise NotFoundError(f"There is no stack of this project in region {aws.region}. Check --region, or deploy one.")
    return [_target(stack) for stack in found]


def _target(stack: Stack, bucket: str | None = None, base_prefix: str | None = None) -> Target:
    bucket = bucket or stack.outputs.get("ExportBucketName", "")
    base = base_prefix or stack.parameters.get("BasePrefix", DEFAULT_BASE_PREFIX)
    layout = Layout(bucket, base, stack.environment) if bucket else None
    return Target(stack.environment, layout, stack, stack.parameters)


def _find_stack(aws: Aws, choice: Choice) -> Stack:
    name = choice.stack or (f"{choice.environment}-{SUFFIX}" if choice.environment else None)
    found = _describe(aws, name) if name else None
    if choice.stack:
        if found is None:
            raise NotFoundError(f"There is no stack {choice.stack} in region {aws.region}. Check --stack and --region.")
        return found
    if found and found.environment == choice.environment:
        return found
    ours = list(_all_stacks(aws))
    wanted = [stack for stack in ours if choice.environment in (None, stack.environment)]
    if len(wanted) == 1:
        return wanted[0]
    raise _unclear(aws, choice, sorted({stack.environment for stack in ours}))


def _unclear(aws: Aws, choice: Choice, environments: list[str]) -> Exception:
    there = (
        f"Stacks there are for: {', '.join(environments)}." if environments else "There is no stack of this project."
    )
    if choice.environment is None and environments:
        return InvalidOptionError(f"Which environment? Say --environment. {there}")
    wanted = f"exports the environment {choice.environment}" if choice.environment else "exports an environment"
    return NotFoundError(f"No stack in region {aws.region} {wanted}. {there} Check --region, or deploy one.")


def _describe(aws: Aws, name: str) -> Stack | None:
    with call(f"look at stack {name}", _ADVICE):
        try:
            [found] = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if error_code(error) == "ValidationError":  # CloudFormation's word for: there is none
                return None
            raise
    return _stack(found)


def _all_stacks(aws: Aws) -> Iterator[Stack]:
    with call("look for stacks", _ADVICE):
        pages = aws.client("cloudformation").get_paginator("describe_stacks").paginate()
        stacks = [_stack(found) for page in pages for found in page["Stacks"]]
    return (stack for stack in stacks if stack.environment and "ExportLocation" in stack.outputs)


def _stack(found: Mapping[str, Any]) -> Stack:
    return Stack(
        name=found["StackName"],
        status=found["StackStatus"],
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())},
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
    )
