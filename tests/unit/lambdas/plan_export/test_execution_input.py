"""The execution input is validated as a whole, with one message for the person who wrote it."""

import pytest
from export_runtime.errors import TerminalError
from plan_export.errors import InvalidExportInputError
from plan_export.execution_input import parse_input

from tests.contract_examples import examples


@pytest.mark.parametrize("example", examples("execution_input", "valid"), ids=str)
def test_given_a_valid_input_then_it_is_accepted(example):
    raw = example.document
    parsed = parse_input(raw)
    assert parsed.given == frozenset(raw)
    assert {name: getattr(parsed, name) for name in raw} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()
    }


@pytest.mark.parametrize("example", examples("execution_input", "invalid"), ids=str)
def test_given_an_invalid_input_then_the_message_names_field_value_and_what_is_allowed(example):
    with pytest.raises(InvalidExportInputError) as caught:
        parse_input(example.document)
    assert [part for part in example.names if part not in str(caught.value)] == []
    assert isinstance(caught.value, TerminalError)


def test_given_several_problems_then_one_message_lists_them_all():
    with pytest.raises(InvalidExportInputError) as caught:
        parse_input({"trigger": "x", "max_age_in_days": -1, "include_tables": [""], "exclude_tables": 3, "more": 1})
    message = str(caught.value)
    assert all(f"({number})" in message for number in range(1, 6))
    assert "(6)" not in message


@pytest.mark.parametrize(
    "raw",
    [
        {"trigger": "x\n\x1b[2JALL IS WELL" * 10_000, "a\u2028b": 1},
        {"include_tables": ["x\nNothing.\u202e"], "exclude_tables": ["x\nNothing.\u202e"]},
    ],
    ids=["values", "names"],
)
def test_given_hostile_values_then_the_message_stays_one_short_line(raw):
    with pytest.raises(InvalidExportInputError) as caught:
        parse_input(raw)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
