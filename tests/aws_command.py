"""Runs a command of the AWS CLI as the CLI would, by the models that it has too: a fix that it names must be one."""

import json
import shlex
from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.model import Shape, StructureShape

# What the CLI calls otherwise (awscli/customizations of aws/aws-cli).
SERVICES = {"s3api": "s3"}
OPTIONS = {"--notification-endpoint": "--endpoint"}


def run_aws(command: str, client_of: Callable[[str], Any]) -> None:
    """Run `aws <service> <operation> --option value ...`, and several of them joined by `&&`.

    Args:
        command: as a person would paste it.
        client_of: gives the client of a service.

    Raises:
        AssertionError: the service has no such operation or option.
        ClientError: AWS refuses.
    """
    for each in command.split(" && "):
        words = shlex.split(each)
        assert words[0] == "aws", each
        _run(client_of(SERVICES.get(words[1], words[1])), words[2:])


def _run(client: Any, words: list[str]) -> None:
    if words[0] == "wait":
        client.get_waiter(words[1].replace("-", "_")).wait(**_parameters(_input(client, "describe-stacks"), words[2:]))
        return
    getattr(client, words[0].replace("-", "_"))(**_parameters(_input(client, words[0]), words[1:]))


def _input(client: Any, operation: str) -> StructureShape:
    models = client.meta.service_model
    names = {xform_name(name, "-"): name for name in models.operation_names}
    assert operation in names, f"{models.service_name} has no {operation}"
    return models.operation_model(names[operation]).input_shape


def _parameters(shape: StructureShape, words: list[str]) -> dict[str, Any]:
    members = {f"--{xform_name(name, '-')}": name for name in shape.members}
    options = {OPTIONS.get(name, name): text for name, text in zip(words[::2], words[1::2], strict=True)}
    unknown = options.keys() - members.keys()
    assert not unknown, f"{shape.name} has no {unknown}"
    assert {members[option] for option in options} >= set(shape.required_members)
    return {members[option]: _value(shape.members[members[option]], text) for option, text in options.items()}


def _value(shape: Shape, text: str) -> Any:
    if shape.type_name == "string":
        return text
    if text.startswith(("{", "[")):
        return json.loads(text)
    pairs = dict(pair.split("=") for pair in text.split(","))  # the CLI's shorthand
    return {name: {"true": True, "false": False}.get(value, value) for name, value in pairs.items()}
