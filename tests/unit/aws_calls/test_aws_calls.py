"""Every call of AWS in the code, against botocore's own models: the operation, its fields, what it requires.

Tests with a fake client would accept a name that AWS does not know. mypy knows the clients of lambdas/ and glue/ too,
but not those of the DAG and of the command line.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel

ROOT = Path(__file__).resolve().parents[3]
CODE = ("lambdas", "glue", "dags", "export_cli")
SERVICES = ("ec2", "glue", "mwaa", "s3", "secretsmanager", "sns", "stepfunctions")
OF_THE_COMMAND_LINE = ("cloudformation", "cloudwatch", "iam", "kms", "lambda", "logs", "scheduler", "sts")
# What a client is called in this code.
CLIENTS = {"client", "_client", "s3", "glue", "_glue", "_s3", "secrets", "sns", "states"}
# Methods of every client that are no operations.
GENERAL = {"get_paginator", "get_waiter", "close", "generate_presigned_url"}


@dataclass(frozen=True)
class Call:
    """A method called on a client, or paginated."""

    where: str
    operation: str
    fields: frozenset[str]
    complete: bool  # no **fields, which could hold anything


@cache
def operations() -> dict[str, list[OperationModel]]:
    """The models of all operations by their name in Python."""
    session = botocore.session.get_session()
    models: dict[str, list[OperationModel]] = {}
    for service in (*SERVICES, *OF_THE_COMMAND_LINE):
        model = session.get_service_model(service)
        for name in model.operation_names:
            models.setdefault(xform_name(name), []).append(model.operation_model(name))
    return models


def sources() -> list[Path]:
    files = [file for folder in CODE for file in (ROOT / folder).rglob("*.py")]
    return [file for file in files if "packaging" not in file.parts]


def calls() -> Iterator[Call]:
    for file in sources():
        nodes = list(ast.walk(ast.parse(file.read_text())))
        modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        methods = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        for node in methods:
            if getattr(node.func.value, "id", "") not in modules:  # `secrets` is also a module
                yield from _call(node, node.func, f"{file.relative_to(ROOT)}:{node.lineno}")


def _call(node: ast.Call, method: ast.Attribute, where: str) -> Iterator[Call]:
    fields = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
    complete = len(fields) == len(node.keywords)
    if method.attr == "paginate" and isinstance(method.value, ast.Call):
        operation = method.value.args[0].value  # type: ignore[attr-defined]
        yield Call(where, operation, fields - {"PaginationConfig"}, complete)
    elif _is_client(method.value) and method.attr not in GENERAL:
        yield Call(where, method.attr, fields, complete)


def _is_client(receiver: ast.expr) -> bool:
    if isinstance(receiver, ast.Call):  # clients.sns().publish(...)
        receiver = receiver.func
    name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    return name in CLIENTS


CALLS = {f"{call.where} {call.operation}": call for call in calls()}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_given_a_call_then_the_service_has_the_operation_with_these_fields(call):
    inputs = [model.input_shape for model in operations().get(call.operation, [])]

    assert inputs, f"no service has {call.operation}"
    assert [shape for shape in inputs if shape and call.fields <= set(shape.members)], sorted(call.fields)


@pytest.mark.parametrize(
    "call", [c for c in CALLS.values() if c.complete], ids=[n for n, c in CALLS.items() if c.complete]
)
def test_given_a_call_then_nothing_that_the_service_requires_is_missing(call):
    required = [set(model.input_shape.required_members) for model in operations()[call.operation] if model.input_shape]

    assert [names for names in required if names <= call.fields], sorted(call.fields)


def test_the_calls_of_every_service_are_found():
    found = {
        model.service_model.service_name for call in CALLS.values() for model in operations().get(call.operation, [])
    }

    assert len(CALLS) > 30
    assert found >= set(SERVICES)


def test_no_client_switches_validation_off():
    assert [file for file in sources() if "parameter_validation" in file.read_text()] == []
    assert botocore.session.get_session().get_config_variable("parameter_validation") is True
