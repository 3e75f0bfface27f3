"""What an expression is evaluated over: made from the variables and names that stand in it, so that none is forgotten.

Of every path of names in an expression (`$plan.export.cutoff`) each value stands once at its end, and every name on
the way is once missing, null, a text, and an array of none, one and two. Paths beside it hold one of a few values in
turn, among them what the expression itself compares with.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOSTILE = "\"q\" 'a' {b} {% $x %} ${c} \\ \\n \n\r\t\b\f\0\x1f\x7f\x85\u2028\u2029\ufeff é 漢 😀 e\u0301"
CAUSE = json.dumps({"errorMessage": HOSTILE, "errorType": "StorageError", "stackTrace": [], "n": 1.0})
CUT = CAUSE[: len(CAUSE) // 2]
LONG = '😀é"\\\n' * 8000  # more than an expression takes of it, cut inside of a pair of surrogates by who counts those
TEXTS = ("", "text", "1", "null", HOSTILE, CAUSE, CUT, LONG)
NUMBERS = (0, 1, -1, 30, 30.0, 1.5, 0.1, 0.1 + 0.2, 1e-7, 123_456_789_012, 2**53, 1e21, 1e100)
ARRAYS: tuple[Any, ...] = ([], [None], ["one"], [[]], [["one"]], ["a", "b"], [1, 2.5], [HOSTILE, None, 1.0, True])
DOCUMENTS: tuple[Any, ...] = ({}, {"a": None, "b": [], "c": HOSTILE, "d": [{"e": 1e3}]})
VALUES = (None, True, False, *NUMBERS, *TEXTS, *ARRAYS, *DOCUMENTS)
# AWS documented: $states has the state's input and the context everywhere, and what a state has of result and
# errorOutput. https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
OBJECTS = {("states",), ("states", "context")}
PRESENT = OBJECTS | {("states", name) for name in ("input", "result", "errorOutput")}
CONSTANTS = ("string", "number", "value")  # types of nodes in a syntax tree
Path = tuple[str, ...]


class Missing:
    """Stands for a name that is not there."""


MISSING = Missing()


@dataclass(frozen=True)
class Reads:
    """What an expression reads, by its syntax tree."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    """of fields, wherever they stand"""
    compared: tuple[Any, ...]
    """the constants that stand beside an operator"""


def reads(tree: Any, variables: set[str]) -> Reads:
    """Return what an expression reads.

    Args:
        tree: its syntax tree.
        variables: the names of variables that hold data; others are functions or set by the expression itself.
    """
    nodes = list(_nodes(tree))
    paths = {path for path in _paths(tree, ()) if path[0] in variables}
    operands = [node.get(side, {}) for node in nodes if node.get("type") == "binary" for side in ("lhs", "rhs")]
    constants = [each["value"] for each in operands if isinstance(each, dict) and each.get("type") in CONSTANTS]
    names = {node["value"] for node in nodes if node.get("type") == "name"}
    return Reads(tuple(sorted(paths)), tuple(sorted(names)), tuple(constants))


def variable_sets(read: Reads) -> Iterator[Mapping[str, Any]]:
    """Yield variables to evaluate an expression with, each set of them once."""
    generic, *more = (dict.fromkeys(read.names, value) for value in ("text", *read.compared))
    values = [*VALUES, generic, [generic], [generic, *more, generic], *read.compared]
    seen = set()
    for others in ("text", 30, generic, *read.compared):
        usual = _variables(read.paths, others)
        for made in (usual, *_varied(usual, read.paths, values)):
            text = json.dumps(made)
            if text not in seen:
                seen.add(text)
                yield made


def _varied(usual: Mapping[str, Any], paths: Sequence[Path], values: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for path in paths:
        yield from (_replaced(usual, path, value) for value in values if path not in OBJECTS)
        for length in range(1, len(path) + 1):
            start = path[:length]
            if start not in PRESENT:
                yield _replaced(usual, start, MISSING)
            if start not in OBJECTS:
                found = _found(usual, start)
                yield from (_replaced(usual, start, value) for value in (None, "text", [], [found], [found, found]))


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)


def _paths(tree: Any, around: Path) -> Iterator[Path]:
    """Yield every path that begins with a variable; names in a filter or a block continue the path around it."""
    if isinstance(tree, list):
        for inner in tree:
            yield from _paths(inner, around)
    elif isinstance(tree, dict) and tree.get("type") == "variable":
        yield (tree["value"],)
    elif isinstance(tree, dict) and tree.get("type") == "path":
        yield from _along(tree["steps"], around)
    elif isinstance(tree, dict):
        for name, inner in tree.items():
            if name != "procedure":  # a function that is called is no data
                yield from _paths(inner, around)


def _along(steps: Sequence[Mapping[str, Any]], around: Path) -> Iterator[Path]:
    path = around
    for step in steps:
        if step["type"] == "variable":
            path = (step["value"],)
        elif step["type"] == "name" and path:
            path = (*path, step["value"])
        else:
            yield from _paths(step, path)
        yield from _paths([step.get("stages", []), step.get("predicate", [])], path)
    if path:
        yield path


def _variables(paths: Sequence[Path], value: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path in sorted(paths, key=len):  # the longer one decides where one path begins with another
        made = _replaced(made, path, value)
    return made


def _replaced(variables: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(dict(variables))
    inner = made
    for name in path[:-1]:
        if not isinstance(inner.get(name), dict):
            inner[name] = {}
        inner = inner[name]
    if isinstance(value, Missing):
        inner.pop(path[-1], None)
    elif path not in OBJECTS:
        inner[path[-1]] = value
    return made


def _found(variables: Mapping[str, Any], path: Path) -> Any:
    found: Any = variables
    for name in path:
        found = found[name]
    return found
