"""What Step Functions refuses when a machine is created, and ministack notices on the way, or never.

AWS assumed: the wording of what is wrong with a definition.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

KINDS = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")


def problem(text: str) -> str | None:
    """The first mistake of a definition, as a message of InvalidDefinition, or None."""
    try:
        definition = json.loads(text)
    except (TypeError, ValueError) as error:
        return f"Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {error}'"
    found = next(_problems(definition, ""), None)
    return f"Invalid State Machine Definition: '{found}'" if found else None


def _problems(machine: Any, path: str) -> Iterator[str]:
    if not isinstance(machine, dict) or not isinstance(machine.get("States"), dict) or "StartAt" not in machine:
        yield f"SCHEMA_VALIDATION_FAILED: StartAt and States are required at {path or '/'}"
        return
    states: Mapping[str, Any] = machine["States"]
    reached = {machine["StartAt"]}
    if machine["StartAt"] not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {machine['StartAt']} at {path}/StartAt"
    for name, state in states.items():
        where = f"{path}/States/{name}"
        if state.get("Type") not in KINDS:
            yield f"SCHEMA_VALIDATION_FAILED: Value is not one of {KINDS} at {where}/Type"
            continue
        for target in _targets(state):
            reached.add(target)
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {where}"
        for inner in _inner(state):
            yield from _problems(inner, where)
    for name in states.keys() - reached:
        yield f'MISSING_TRANSITION_TARGET: State "{name}" is not reachable. at {path}/States/{name}'


def _targets(state: Mapping[str, Any]) -> Iterator[str]:
    yield from (state[field] for field in ("Next", "Default") if field in state)
    for field in ("Choices", "Catch"):
        yield from (rule["Next"] for rule in state.get(field, []) if "Next" in rule)


def _inner(state: Mapping[str, Any]) -> list[Any]:
    if state["Type"] == "Map":
        return [state.get("ItemProcessor") or state.get("Iterator")]
    return list(state.get("Branches", []))
