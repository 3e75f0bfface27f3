"""Every expression of the flow means in the reference implementation what it means in the emulated AWS.

AWS documented: Step Functions evaluates JSONata 2.0.6, whose reference implementation is jsonata-js; ministack has a
port of it to Python. https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.emulated_account import REPOSITORY
from tests.integration.jsonata.engines import Case, Outcome, emulated, reference, syntax_trees
from tests.integration.jsonata.values import HOSTILE, Reads, reads, variable_sets

FLOW = yaml.safe_load((REPOSITORY / "state_machine" / "export.asl.yaml").read_text())
LARGE = 10**15  # a number from here on has more than the 15 digits that the reference implementation spells


def texts(part: Any) -> Iterator[str]:
    """Yield every text that stands anywhere in a part of the flow."""
    if isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from texts(inner)
    elif isinstance(part, str):
        yield part


def assigned(part: Any) -> Iterator[str]:
    """Yield the name of every variable that a part of the flow assigns."""
    if isinstance(part, dict | list):
        yield from part.get("Assign", ()) if isinstance(part, dict) else ()
        for inner in part.values() if isinstance(part, dict) else part:
            yield from assigned(inner)


EXPRESSIONS = sorted({text[2:-2].strip() for text in texts(FLOW) if text.startswith("{%") and text.endswith("%}")})


@dataclass(frozen=True)
class Evaluation:
    """One evaluation in both engines."""

    case: Case
    reference: Outcome
    emulated: Outcome


@dataclass(frozen=True)
class Difference:
    """A known difference between the engines, and why it does no harm."""

    reason: str
    expression: str
    value: Any
    """of `$states.input`"""
    reference: str
    emulated: str


SAME_DOCUMENT = "who reads the text as JSON gets the same document; nobody reads it otherwise"
DIFFERENCES = [
    Difference(SAME_DOCUMENT, "$string($states.input)", ["é😀"], '["é😀"]', r'["\u00e9\ud83d\ude00"]'),
    Difference(SAME_DOCUMENT, "$string($states.input)", {"a": 30.0}, '{"a":30}', '{"a":30.0}'),
    Difference(SAME_DOCUMENT, "$string([$states.input])", 1e-7, "[1e-7]", "[1e-07]"),
    Difference(
        "more than 15 digits: no number of the flow has as many",
        "$string([$states.input])",
        0.1 + 0.2,
        "[0.3]",
        "[0.30000000000000004]",
    ),
    Difference(
        "more than 15 digits: no number of the flow has as many",
        "$string($states.input)",
        2**53,
        "9007199254740990",
        "9.00719925474099e+15",
    ),
]

CHANGED = [
    "$partition([1..9], 4)",
    "$partition([], 4)",
    "$range(1, 9, 2)",
    "$range(9, 1, -3)",
    "$range(2, 1, 1)",
    "$hash($states.input, 'MD5')",
    "$hash($states.input, 'SHA-1')",
    "$hash($states.input, 'SHA-256')",
    "$parse($string({'text': $states.input})).text",
    "$parse('{\"cut')",
    "$eval('1')",
    "$lookup({'a': 1}, $states.context.null)",
    "$join([$states.context.null], ',')",
    "$contains($states.context.null, 'a')",
    "$states.context.nothing",
    "$states.input > 1",
]


@pytest.fixture(scope="session")
def read() -> Mapping[str, Reads]:
    """What each expression reads."""
    variables = {"states", *assigned(FLOW)}
    trees = zip(EXPRESSIONS, syntax_trees(EXPRESSIONS), strict=True)
    return {expression: reads(tree, variables) for expression, tree in trees}


@pytest.fixture(scope="session")
def evaluations(read: Mapping[str, Reads]) -> Mapping[str, list[Evaluation]]:
    """Every evaluation, by expression."""
    cases = [(expression, made) for expression in EXPRESSIONS for made in variable_sets(read[expression])]
    found: dict[str, list[Evaluation]] = {expression: [] for expression in EXPRESSIONS}
    for case, *outcomes in zip(cases, reference(cases), emulated(cases), strict=True):
        found[case[0]].append(Evaluation(case, *outcomes))
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_given_any_values_when_evaluated_in_both_engines_then_the_same_comes_of_it(
    evaluations: Mapping[str, list[Evaluation]], expression: str
) -> None:
    different = [each for each in evaluations[expression] if not agree(each.reference, each.emulated)]
    assert [shortened(each) for each in different[:5]] == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_given_the_values_then_they_move_the_expression(
    read: Mapping[str, Reads], evaluations: Mapping[str, list[Evaluation]], expression: str
) -> None:
    """An expression that is the same whatever it reads, or is nothing, was not tried: `values` must learn more."""
    outcomes = [each.reference for each in evaluations[expression]]
    results = {json.dumps(outcome.value) for outcome in outcomes if outcome.kind == "value"} - {"null"}
    assert len(results) >= (2 if read[expression].paths else 1)


def test_given_the_known_differences_then_they_are_still_there() -> None:
    cases = [(row.expression, {"states": {"input": row.value}}) for row in DIFFERENCES]
    expected = [[Outcome("value", text) for text in (row.reference, row.emulated)] for row in DIFFERENCES]
    found = list(map(list, zip(reference(cases), emulated(cases), strict=True)))
    assert found == expected
    assert all(agree(*outcomes) for outcomes in found)


def test_given_what_step_functions_changes_in_jsonata_then_both_engines_have_it() -> None:
    cases = [(expression, {"states": {"input": HOSTILE, "context": {"null": None}}}) for expression in CHANGED]
    assert dict(zip(CHANGED, reference(cases), strict=True)) == dict(zip(CHANGED, emulated(cases), strict=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Outcome("value", None), Outcome("missing")),
        (Outcome("value", 1), Outcome("value", True)),
        (Outcome("value", ["a"]), Outcome("value", "a")),
        (Outcome("value", "30"), Outcome("value", "30.0")),
        (Outcome("value", '["a"]'), Outcome("value", '"a"')),
        (Outcome("value", '{"a":"30"}'), Outcome("value", '{"a":30}')),
        (Outcome("error", "T2010"), Outcome("error", "T2009")),
        (Outcome("error", "T2010"), Outcome("missing")),
        (Outcome("value", [0.1]), Outcome("value", [0.2])),
    ],
    ids=str,
)
def test_given_outcomes_that_differ_then_they_do_not_agree(one: Outcome, other: Outcome) -> None:
    assert not agree(one, other)
    assert not agree(other, one)


def agree(one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are the same, up to the known differences."""
    if one.kind == other.kind == "error":
        return one.value == other.value or "" in (one.value, other.value)
    return one.kind == other.kind and same(one.value, other.value)


def same(one: Any, other: Any) -> bool:
    """Say whether two values of JSON are the same: 1 is 1.0, but not true; a text may spell a document otherwise."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other or spells_the_same(one, other)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def spells_the_same(one: str, other: str) -> bool:
    """Say whether two texts are the same document of JSON, or the same large number, up to 15 digits of numbers."""
    try:
        first, second = (json.loads(text, parse_float=rounded, parse_int=rounded) for text in (one, other))
    except ValueError:
        return False
    return (isinstance(first, dict | list) or (isinstance(first, float) and first >= LARGE)) and same(first, second)


def rounded(number: str) -> float:
    """Return a number as the reference implementation spells it."""
    return float(f"{float(number):.15g}")


def shortened(evaluation: Evaluation) -> str:
    """Return an evaluation so that a person can read it."""
    variables, *outcomes = evaluation.case[1], evaluation.reference, evaluation.emulated
    return " | ".join(str(each)[:300] for each in (variables, *outcomes))
