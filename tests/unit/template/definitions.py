"""The template and the flow as tests read them: parsed from the files that are deployed, never retyped."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]
ASL_FILES = {name: ROOT / "state_machine" / f"{name}.asl.yaml" for name in ("export", "restore", "drill")}


@cache
def template() -> dict[str, Any]:
    """The SAM template, intrinsic functions in their long form."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@cache
def state_machine(name: str = "export") -> dict[str, Any]:
    """A flow, with its `${...}` substitutions as they stand in the file."""
    return yaml_parse(ASL_FILES[name].read_text())


def resources(kind: str) -> dict[str, Any]:
    """The template's resources of one type, by logical id."""
    return {name: body for name, body in template()["Resources"].items() if body["Type"] == kind}


def scopes(machine: dict[str, Any]) -> list[dict[str, Any]]:
    """A machine and the item processors of its Maps: each has its own `StartAt` and `States`."""
    found = [machine]
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            found += scopes(state["ItemProcessor"])
    return found


def variables(function: str, **parameters: str) -> dict[str, str]:
    """The environment variables of a function, for an environment `prod` whose stack has these parameters.

    Args:
        function: logical id.
        parameters: those that differ from the template's defaults.
    """
    defaults = {name: str(body.get("Default", name)) for name, body in template()["Parameters"].items()}
    values = defaults | {"MwaaEnvironmentName": "prod"} | parameters
    set_by = [template()["Globals"]["Function"], template()["Resources"][function]["Properties"]]
    given: dict[str, Any] = {}
    for place in set_by:
        given |= place["Environment"]["Variables"]
    return {name: _resolved(value, values) for name, value in given.items()}


def job_defaults() -> dict[str, str]:
    """The Glue job's default arguments, where the stack has the template's own parameters."""
    job = resources("AWS::Glue::Job")["ExportJob"]
    values = {name: str(body.get("Default", name)) for name, body in template()["Parameters"].items()}
    values["AWS::Region"] = "eu-central-1"
    return {name: _resolved(value, values) for name, value in job["Properties"]["DefaultArguments"].items()}


def _resolved(value: Any, parameters: dict[str, str]) -> str:
    """A value as CloudFormation would make it; for what only AWS knows, some text."""
    if isinstance(value, dict):
        [(function, of)] = value.items()
        if function == "Ref":
            return parameters.get(of, of)
        if function == "Fn::Sub":
            return re.sub(r"\$\{(\w+)\}", lambda match: parameters.get(match[1], match[1]), of)
        return {"Fn::FindInMap": "3.11"}.get(function, function)
    return str(value)


def flow_arguments() -> set[str]:
    """The job arguments that the flow gives: those of every run, and those of the run's group."""
    assigned = state_machine()["States"]["Prepare Connection"]["Assign"]
    of_group = re.findall(r"'(--[A-Z_]+)':", assigned["group_arguments"])
    return {*assigned["job_arguments"], *of_group}


def as_list(value: Any) -> list[Any]:
    """A policy's element that may be one or several."""
    return value if isinstance(value, list) else [value]


@cache
def identity_statements() -> dict[str, dict[str, Any]]:
    """Every statement that says what a role may do, by `<logical id>-<Sid>`."""
    return {f"{name}-{statement['Sid']}": statement for name, statement in _identity_statements()}


def _identity_statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in resources("AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement
    for name, policy in {**resources("AWS::IAM::ManagedPolicy"), **resources("AWS::IAM::RolePolicy")}.items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement


@cache
def resource_statements() -> dict[str, dict[str, Any]]:
    """Every statement of a resource's own policy, by `<logical id>-<Sid>`."""
    found = {}
    for name, body in template()["Resources"].items():
        policy = body["Properties"].get("KeyPolicy") or body["Properties"].get("PolicyDocument") or {}
        if not body["Type"].startswith("AWS::IAM::"):
            found |= {f"{name}-{statement['Sid']}": statement for statement in policy.get("Statement", [])}
    return found
