"""The two engines, asked in the same way: the reference implementation, and the one of the emulated AWS.

AWS documented: Step Functions has $partition, $range, $hash, $random, $uuid and $parse beside the functions of JSONata.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonata.signature import Signature
from ministack.services import stepfunctions as sfn

from local.aws.patches import jsonata
from local.aws.settings import Settings
from local.node import packages

SCRIPT = Path(__file__).with_name("evaluate.js")
PATCHED = (
    (sfn, "_register_sfn_jsonata_functions"),
    (sfn, "_evaluate_jsonata_choice_rule"),
    (Signature, "get_symbol"),
)
CODE = re.compile(r"[A-Z]\d{4}")
Case = tuple[str, Mapping[str, Any]]
"""an expression, and its variables: those that Assign has set, and `states`"""


@dataclass(frozen=True)
class Outcome:
    """What came of an evaluation. Missing is JSONata's "undefined", which Step Functions refuses; null is a value."""

    kind: Literal["value", "missing", "error"]
    value: Any = None
    """the value, or the code of the error: empty where an engine gives none"""


def syntax_trees(expressions: Sequence[str]) -> list[Any]:
    """Return the syntax tree of each expression, as the reference implementation parses it."""
    return list(json.loads(packages.run(SCRIPT, json.dumps({"parse": expressions}))))


def reference(cases: Sequence[Case]) -> list[Outcome]:
    """Evaluate in the reference implementation."""
    return [Outcome(*found) for found in json.loads(packages.run(SCRIPT, json.dumps({"evaluate": cases})))]


def emulated(cases: Sequence[Case]) -> list[Outcome]:
    """Evaluate as the emulated AWS does."""
    with pytest.MonkeyPatch.context() as undone:
        for owner, name in PATCHED:
            undone.setattr(owner, name, getattr(owner, name))
        jsonata.apply(Settings(Path()))
        # Copies: the port writes a null into an empty array that it groups, which other cases share.
        return [_emulated(expression, copy.deepcopy(variables)) for expression, variables in cases]


def _emulated(expression: str, variables: Mapping[str, Any]) -> Outcome:
    states = variables.get("states", {})
    assigned = {name: value for name, value in variables.items() if name != "states"}
    context = {**states.get("context", {}), "variables": assigned}
    data = (states.get("input"), context, states.get("result"), states.get("errorOutput"))
    try:
        return Outcome("value", sfn._evaluate_jsonata(expression, *data))
    except sfn._ExecutionError as error:
        if "did not return a result" in error.cause:
            return Outcome("missing")
        code = CODE.match(error.cause)
        return Outcome("error", code[0] if code else "")
