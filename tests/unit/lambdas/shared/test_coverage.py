"""Whether one export brings what another would."""

from dataclasses import replace
from itertools import product

import pytest
from export_contracts.coverage import Coverage, is_backup, is_full, is_same_kind
from export_contracts.summary import Selection
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import summary

ALL = Coverage()
# Every way in which a table can be named here, and one that nobody names.
NAMES = ("a", "b", "s.a", "t.a", "s.b")
TABLES = (*NAMES, "new", "s.new", "t.b")


def brought(coverage: Coverage) -> set[str]:
    """Return the tables that an export has, one by one; ``new`` stands for all that nobody has heard of."""

    def named(names: tuple[str, ...], table: str) -> bool:
        return table in names or table.split(".")[-1] in names

    wanted = coverage.include_tables
    return {
        table for table in TABLES
        if not named(coverage.exclude_tables, table) and (not wanted or named(wanted, table))
    }  # fmt: skip


NAME_LISTS = st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple)
COVERAGES = st.builds(Coverage, NAME_LISTS, NAME_LISTS, st.one_of(st.none(), st.integers(1, 3)))


@given(had=COVERAGES, wanted=COVERAGES)
def test_given_any_two_then_one_covers_the_other_when_it_has_every_table_and_every_day(had, wanted):
    days = float("inf") if had.max_age_in_days is None else had.max_age_in_days
    enough = days >= (float("inf") if wanted.max_age_in_days is None else wanted.max_age_in_days)
    assert had.covers(wanted) == (enough and brought(wanted) <= brought(had))


@given(coverage=COVERAGES)
def test_given_any_then_it_covers_itself_and_is_what_it_says_in_json(coverage):
    assert coverage.covers(coverage)
    assert ALL.covers(coverage)
    assert Coverage.of(coverage.to_json()) == coverage


@pytest.mark.parametrize(
    ("had", "wanted", "covers"),
    [
        pytest.param(Coverage((), (), 30), Coverage((), (), 30), True, id="the same"),
        pytest.param(Coverage((), (), 30), Coverage((), (), 90), False, id="the age was raised"),
        pytest.param(Coverage((), (), 90), Coverage((), (), 30), True, id="more days"),
        pytest.param(Coverage((), (), 30), ALL, False, id="everything is wanted"),
        pytest.param(ALL, Coverage((), ("log",)), True, id="the stack leaves log out and this did not"),
        pytest.param(Coverage((), ("log",)), ALL, False, id="it left log out"),
        pytest.param(Coverage((), ("log",)), Coverage((), ("job", "log")), True, id="both leave it out"),
        pytest.param(Coverage(("dag",)), ALL, False, id="one table"),
        pytest.param(Coverage(("dag", "log")), Coverage(("dag",)), True, id="a longer list"),
        pytest.param(Coverage(("dag",)), Coverage(("dag", "log")), False, id="a shorter list"),
        pytest.param(Coverage((), ("celery_taskmeta",)), Coverage((), ("celery.celery_taskmeta",)), False, id="both"),
        pytest.param(Coverage((), ("celery.celery_taskmeta",)), Coverage((), ("celery_taskmeta",)), True, id="of both"),
    ],
)
def test_given_cases_that_people_have_then_they_are_as_expected(had, wanted, covers):
    assert had.covers(wanted) is covers


SUMMARY = summary(scope=None)
STACK = Coverage((), (), 30)


@pytest.mark.parametrize(
    ("changes", "backup"),
    [
        ({}, True),
        ({"scope": "partial"}, True),
        ({"scope": "full", "max_age_days": 7}, False),
        ({"status": "INCOMPLETE"}, False),
        ({"environment": "test"}, False),
        ({"selection": None}, False),
    ],
    ids=str,
)
def test_given_a_summary_then_only_what_it_covers_makes_it_a_backup_and_not_its_own_word(changes, backup):
    assert is_backup(replace(SUMMARY, **changes), "prod", STACK) is backup


@pytest.mark.parametrize(
    "document",
    [
        {"selection": {"include_tables": [], "exclude_tables": []}},
        {"selection": {"include_tables": "dag", "exclude_tables": []}, "max_age_days": 30},
        {"selection": {"include_tables": [1], "exclude_tables": []}, "max_age_days": 30},
        {"selection": {"include_tables": [], "exclude_tables": []}, "max_age_days": "30"},
        {"selection": {"include_tables": [], "exclude_tables": []}, "max_age_days": True},
    ],
    ids=str,
)
def test_given_a_lock_that_does_not_say_it_then_what_its_export_covers_is_not_known(document):
    assert Coverage.of(document) is None


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"status": "INCOMPLETE"}, True),
        ({"environment": "test"}, False),
        ({"max_age_days": 31}, False),
        ({"selection": Selection((), ("log",))}, False),
        ({"selection": None}, False),
    ],
    ids=str,
)
def test_given_a_summary_then_only_one_of_the_same_tables_and_age_is_of_the_same_kind(changes, same):
    assert is_same_kind(replace(SUMMARY, **changes), "prod", STACK) is same


@pytest.mark.parametrize(
    ("changes", "stack", "full"),
    [
        ({}, STACK, True),
        ({"scope": "full"}, Coverage((), (), 31), False),
        ({"scope": "partial"}, Coverage((), (), 7), True),
        ({"scope": "full", "selection": Selection(("dag",))}, None, True),
        ({"scope": "partial"}, None, False),
        ({}, None, True),
        ({"selection": Selection(("dag",))}, None, False),
        ({"selection": Selection((), ("log",))}, None, False),
        ({"selection": None}, None, False),
    ],
    ids=str,
)
def test_given_the_stack_is_not_known_then_the_summarys_word_counts_and_in_format_1_whether_it_has_all(
    changes, stack, full
):
    assert is_full(replace(SUMMARY, **changes), stack) is full


@pytest.mark.parametrize(
    ("coverage", "text"),
    [
        (ALL, "all tables; any age"),
        (Coverage((), ("log",), 1), "all tables but log; last day"),
        (Coverage(("dag", "xcom"), (), 7), "only dag, xcom; last 7 days"),
        (Coverage(("x\nNothing\u202e",), (), 7), "only x Nothing; last 7 days"),
        (
            Coverage(tuple(f"t{number:02}" for number in range(14))),
            f"only {', '.join(f't{n:02}' for n in range(12))} and",
        ),
    ],
)
def test_given_any_then_people_read_it_on_one_line(coverage, text):
    assert str(coverage).startswith(text)
    assert str(coverage).isprintable()


def test_the_tables_of_this_test_are_told_apart():
    assert all(
        brought(Coverage((one,))) != brought(Coverage((two,))) for one, two in product(NAMES, NAMES) if one != two
    )
