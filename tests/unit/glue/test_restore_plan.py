"""The plan document, as the engine reads it and as it is made from a summary; and the order of tables."""

import json

import pytest
from metadata_restore.errors import PlanError
from metadata_restore.order import against, load_order
from metadata_restore.plan import RestorePlan

from tests.contract_examples import Example, examples
from tests.contracts import violations


@pytest.mark.parametrize("example", examples("restore_plan", "valid"), ids=str)
def test_given_a_valid_plan_when_read_then_it_says_what_it_should(example: Example) -> None:
    plan = RestorePlan.from_json(example.document)

    read = {"tables": [table.name for table in plan.tables], "sequences": plan.sequences}
    assert read | {"schema": plan.schema.key if plan.schema else None} == example.reading
    assert violations("restore_plan", example.document) == []


@pytest.mark.parametrize("example", examples("restore_plan", "invalid"), ids=str)
def test_given_an_invalid_plan_when_read_then_the_error_names_what_is_wrong(example: Example) -> None:
    with pytest.raises(PlanError) as caught:
        RestorePlan.from_json(json.loads(example.text))

    assert all(name in str(caught.value) for name in example.names)
    assert violations("restore_plan", example.document)


@pytest.mark.parametrize(
    ("references", "order", "later"),
    [
        ([], "a b c d", []),
        ([("a", "d"), ("d", "c")], "b c d a", []),
        ([("a", "a"), ("a", "elsewhere"), ("elsewhere", "a")], "a b c d", []),
        ([("a", "b"), ("b", "a"), ("c", "a")], "d a b c", [("a", "b")]),
        ([("a", "b"), ("b", "c"), ("c", "a"), ("d", "c")], "a c b d", [("a", "b")]),
    ],
    ids=["no keys", "a chain", "a key to itself and others", "a circle of two", "a circle of three"],
)
def test_given_references_when_ordered_then_parents_come_first(
    references: list[tuple[str, str]], order: str, later: list[tuple[str, str]]
) -> None:
    found = load_order(["d", "c", "b", "a"], references)

    assert found == tuple(order.split())
    assert against(found, references) == frozenset(later)
