"""Numbers as people read them."""

import pytest
from export_runtime.figures import count, counted, duration, short_count, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.23 kB"), (999_999, "999 kB"), (5_390_000_000, "5.39 GB"),
        (10**20, "100 EB"), (10**400, "over 999,999 EB"),
    ],
)  # fmt: skip
def test_given_bytes_then_they_are_in_decimal_units(number, text):
    assert size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (41_234_567, "41,234,567"), (999_999_999, "999,999,999"), (1_234_567_890, "1.23 billion"),
        (10**15, "1,000 trillion"), (10**400, "over 999,999 trillion"),
    ],
)  # fmt: skip
def test_given_a_count_then_it_is_exact_below_a_billion(number, text):
    assert short_count(number) == text


def test_given_any_count_then_it_can_be_had_exactly():
    assert count(1_234_567_890) == "1,234,567,890"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"), (0.04, "0.04 s"), (12.34, "12.3 s"), (60, "1 min"), (211.4, "3 min 31 s"), (7500, "2 h 5 min"),
        (86_400, "1 d"), (100_000, "1 d 3 h"), (float("nan"), "unknown"), (float("inf"), "unknown"),
    ],
)  # fmt: skip
def test_given_seconds_then_they_are_in_the_two_units_that_matter(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2000, "2,000 rows")])
def test_given_things_then_one_is_one(number, text):
    assert counted(number, "row") == text
