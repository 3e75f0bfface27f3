"""The execution input is validated as a whole, with one message for the person who wrote it."""

import pytest
from export_runtime.errors import TerminalError
from plan_export.errors import InvalidExportInputError
from plan_export.execution_input import parse_input

from tests.unit.lambdas.contracts import violations

VALID = [
    pytest.param({}, id="nothing"),
    pytest.param({"trigger": "dag", "max_age_in_days": 1, "force": True}, id="smallest age"),
    pytest.param({"trigger": "schedule", "max_age_in_days": 3650, "force": False}, id="largest age"),
    pytest.param({"trigger": "manual", "max_age_in_days": None}, id="everything"),
    pytest.param({"include_tables": ["dag_run", "_xcom_archive"]}, id="unknown table"),
    pytest.param({"include_tables": [], "exclude_tables": []}, id="empty lists"),
    pytest.param({"exclude_tables": ["session", "log"]}, id="excluded twice over"),
    pytest.param({"include_tables": ["a" * 63]}, id="longest name"),
    pytest.param({"exclude_tables": ["other-team", "Other Team", "2024_audit", "ünï"]}, id="names that need quotes"),
    pytest.param({"include_tables": ["dag_run; drop table x", 'say "hi"', "a,b", "größe", " "]}, id="hostile names"),
    pytest.param({"exclude_tables": ["line\nfeed", "\x01", "\u202e", "\U0001f680" * 15]}, id="odd characters"),
    pytest.param({"exclude_tables": ["celery.celery_taskmeta", "a.b.c", f"{'s' * 63}.{'t' * 63}"]}, id="of a schema"),
]

# input, what the message must say
INVALID = [
    pytest.param({"tables": ["dag_run"]}, ["'tables'", "include_tables, exclude_tables"], id="unknown field"),
    pytest.param({"trigger": "cron"}, ["trigger is 'cron'", "dag, schedule, manual"], id="unknown trigger"),
    pytest.param({"trigger": None}, ["trigger is None"], id="null trigger"),
    pytest.param({"trigger": ["dag"]}, ["trigger is ['dag']"], id="list as trigger"),
    pytest.param({"max_age_in_days": 0}, ["max_age_in_days is 0", "1 to 3650"], id="age too small"),
    pytest.param({"max_age_in_days": 3651}, ["max_age_in_days is 3651"], id="age too large"),
    pytest.param({"max_age_in_days": True}, ["max_age_in_days is True"], id="bool is no age"),
    pytest.param({"max_age_in_days": "30"}, ["max_age_in_days is '30'"], id="text is no age"),
    pytest.param({"max_age_in_days": 1.5}, ["max_age_in_days is 1.5"], id="fraction is no age"),
    pytest.param({"force": 1}, ["force is 1", "true and false"], id="number is no bool"),
    pytest.param({"include_tables": "dag_run"}, ["include_tables is 'dag_run'", "list"], id="text is no list"),
    pytest.param({"include_tables": None}, ["include_tables is None"], id="null is no list"),
    pytest.param({"include_tables": ["dag\0run"]}, ["has 'dag", "no zero character"], id="zero character"),
    pytest.param({"include_tables": ["a" * 128]}, ["aaaa", "1 to 63 bytes"], id="name too long"),
    pytest.param({"exclude_tables": [""]}, ["exclude_tables has ''"], id="empty name"),
    pytest.param({"exclude_tables": [1]}, ["exclude_tables has 1"], id="number as name"),
    pytest.param({"exclude_tables": ["log", "log"]}, ["'log' more than once"], id="twice in a list"),
]
# What JSON schema cannot say.
INVALID_BY_MEANING = [
    pytest.param({"include_tables": ["a" * 64]}, ["aaaa", "1 to 63 bytes"], id="a byte too long"),
    pytest.param({"include_tables": ["ü" * 32]}, ["üü"], id="too long in UTF-8"),
    pytest.param({"include_tables": [f"celery.{'t' * 64}"]}, ["celery."], id="name after the schema too long"),
    pytest.param({"exclude_tables": [f".{'t' * 63}"]}, ["'.ttt"], id="no schema before the dot"),
    pytest.param({"exclude_tables": ["\ud800"]}, ["'\\ud800'"], id="half of a surrogate pair"),
    pytest.param({"exclude_tables": ["x\ny", "x\ny"]}, [r"'x\ny' more than once"], id="odd name twice"),
    pytest.param({"include_tables": ["session"]}, ["'session'", "browser sessions"], id="excluded table"),
    pytest.param(
        {"include_tables": ["log", "job"], "exclude_tables": ["log"]}, ["both have log"], id="include and exclude"
    ),
]


@pytest.mark.parametrize("raw", VALID)
def test_given_a_valid_input_then_it_is_accepted(raw):
    parsed = parse_input(raw)
    assert parsed.given == frozenset(raw)
    assert {name: getattr(parsed, name) for name in raw} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()
    }


@pytest.mark.parametrize(("raw", "said"), INVALID + INVALID_BY_MEANING)
def test_given_an_invalid_input_then_the_message_names_field_value_and_what_is_allowed(raw, said):
    with pytest.raises(InvalidExportInputError) as caught:
        parse_input(raw)
    assert [part for part in said if part not in str(caught.value)] == []
    assert isinstance(caught.value, TerminalError)


@pytest.mark.parametrize("raw", [None, [], "x", 1, True], ids=repr)
def test_given_no_object_then_it_is_refused(raw):
    with pytest.raises(InvalidExportInputError, match="JSON object"):
        parse_input(raw)


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


@pytest.mark.parametrize("raw", VALID)
def test_given_a_valid_input_then_the_contract_allows_it_too(raw):
    assert violations("execution_input", raw) == []


@pytest.mark.parametrize(("raw", "said"), INVALID)
def test_given_an_invalid_input_then_the_contract_refuses_it_too(raw, said):
    assert violations("execution_input", raw)
