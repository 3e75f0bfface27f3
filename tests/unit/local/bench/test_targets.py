"""The targets of the engine, judged by a result."""

import pytest

from local.bench.targets import judge
from tests.unit.local.bench.results import result, row

MILLION = 1_000_000


def verdicts(measured: dict) -> list[tuple[str, bool]]:
    return [(target.measured, target.met) for target in judge(measured)]


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (8.0, [("1.00 times", True), ("1.60 times", True)]),
        (8.5, [("1.10 times", True), ("1.70 times", False)]),
        (9.5, [("1.30 times", False), ("1.90 times", False)]),
    ],
    ids=["both met", "net met, gross missed", "both missed"],
)
def test_given_engine_and_pg_dump_when_judged_then_once_net_of_spark_and_once_with_it(
    engine: float, expected: list[tuple[str, bool]]
) -> None:
    contest = [row("engine", 4 * MILLION, engine), row("pg_dump-j2", 4 * MILLION, 5.0)]

    assert verdicts(result(contest=contest)) == expected


@pytest.mark.parametrize(("original", "met"), [(65.6, True), (65.4, False)], ids=["50.08 times", "49.92 times"])
def test_given_original_on_fewer_rows_when_judged_then_per_row_and_each_without_its_own_spark_start(
    original: float, met: bool
) -> None:
    contest = [
        row("engine", 4 * MILLION, 8.0),
        row("pg_dump-j2", 4 * MILLION, 5.0),
        row("original", MILLION, original, start_seconds=3.0),
    ]

    assert judge(result(contest=contest))[0].met is met


@pytest.mark.parametrize(
    ("quarter", "whole", "expected"),
    [
        (300, 340, [("340 MB", True), ("1.13 times", True)]),
        (200, 399, [("399 MB", True), ("2.00 times", False)]),
        (400, 400, [("400 MB", False), ("1.00 times", True)]),
    ],
    ids=["small and flat", "small but growing", "flat but large"],
)
def test_given_peaks_of_two_sizes_when_judged_then_by_the_bound_and_by_their_ratio(
    quarter: int, whole: int, expected: list[tuple[str, bool]]
) -> None:
    memory = [row("b", 4 * MILLION, 9.0, whole * MILLION), row("a", MILLION, 5.0, quarter * MILLION)]

    assert verdicts(result(memory=memory)) == expected


@pytest.mark.parametrize(("two", "met"), [(8.0, True), (9.0, False)], ids=["twice as fast", "1.67 times as fast"])
def test_given_one_and_two_slots_when_judged_then_net_of_spark(two: float, met: bool) -> None:
    slots = [row("one", 4 * MILLION, 13.0, slots=1), row("two", 4 * MILLION, two, slots=2)]

    assert [target.met for target in judge(result(slots=slots))] == [met]


def test_given_nothing_measured_when_judged_then_no_target_is_claimed() -> None:
    assert judge(result()) == []
