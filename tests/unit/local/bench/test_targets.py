"""The targets of the engine, judged by a result."""

import pytest

from local.bench.targets import judge
from tests.unit.local.bench.results import result, row, windowed

MILLION = 1_000_000


def verdicts(measured: dict) -> list[tuple[str, bool]]:
    return [(target.measured, target.met) for target in judge(measured)]


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (8.0, [("1.00 times", True), ("1.60 times", True), ("0.97", False)]),
        (8.5, [("1.10 times", True), ("1.70 times", False), ("0.91", False)]),
        (9.0, [("1.20 times", False), ("1.80 times", False), ("0.86", False)]),
        (4.0, [("0.20 times", True), ("0.80 times", True), ("1.94", True)]),
    ],
    ids=["both met", "net met, gross missed", "both missed", "busy"],
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


@pytest.mark.parametrize(
    ("seconds", "python", "megabytes", "met"),
    [
        (12.0, 8.0, 590, [True, True, True, True, True]),
        (13.1, 8.0, 590, [True, False, True, True, True]),
        (12.0, 8.7, 590, [False, True, True, True, True]),
        (12.0, 8.0, 600, [True, True, True, False, True]),
    ],
    ids=["all met", "slower", "costs too much", "too large"],
)
def test_given_a_run_with_parquet_when_judged_then_by_what_it_costs_more_than_csv_alone(
    seconds: float, python: float, megabytes: int, met: list[bool]
) -> None:
    def turn(wall: float, peak: int, own: float) -> dict:
        return row("engine", 4 * MILLION, wall, peak * MILLION) | {"cpu_seconds": {"python": own, "postgres": 2.0}}

    rows = [turn(9.0, 350, 4.0), turn(seconds, megabytes, python), turn(5.0, 340, 2.0), turn(6.0, 550, 3.0)]
    assert [target.met for target in judge(result(parquet=rows))] == met


@pytest.mark.parametrize(
    ("look", "postgres", "wall", "met"),
    [
        (1.5, 4.5, 14.0, [True, True, True]),
        (1.51, 4.51, 14.0, [False, True, True]),
        (1.5, 4.6, 14.0, [True, False, True]),
        (1.5, 4.5, 14.1, [True, True, False]),
    ],
    ids=["all met", "finding costs too much", "reading grows", "slower"],
)
def test_given_growing_databases_when_judged_then_only_finding_the_window_may_grow(
    look: float, postgres: float, wall: float, met: list[bool]
) -> None:
    sizes = [
        windowed("engine", "same", 16 * MILLION, postgres=postgres, look=look, wall=wall),
        windowed("engine", "same", MILLION, postgres=2.2, look=0.2),
        windowed("engine", "same", 4 * MILLION, postgres=99.0),
    ]

    assert [target.met for target in judge(result(window=sizes))] == met


@pytest.mark.parametrize(
    ("kind", "older", "wall", "met"),
    [
        ("same", 60.0, 1.0, [True]),
        ("same", 59.0, 1.0, [False]),
        ("days", 32.0, 26.0, [True, True]),
        ("days", 31.0, 25.0, [False, False]),
    ],
    ids=["15 times", "14.8 times", "8 times, 3 times as fast", "less"],
)
def test_given_older_build_when_judged_then_over_this_engine_at_the_largest_database(
    kind: str, older: float, wall: float, met: list[bool]
) -> None:
    rows = [
        windowed("engine", kind, 16 * MILLION),
        windowed("engine-0f69f5f", kind, 16 * MILLION, postgres=older, wall=wall),
        windowed("engine", "same", MILLION),
        windowed("engine-0f69f5f", "same", MILLION, postgres=1000.0),
    ]

    judged = [target for target in judge(result(window=rows)) if "<engine-0f69f5f" in target.name]
    assert [target.met for target in judged if "of 16 million" in target.name] == met


@pytest.mark.parametrize(("postgres", "met"), [(3.33, False), (3.34, True)], ids=["1.201 times", "1.198 times"])
def test_given_psql_when_judged_then_in_both_windows(postgres: float, met: bool) -> None:
    rows = [
        windowed(name, kind, MILLION, postgres=seconds)
        for kind in ("same", "days")
        for name, seconds in (("engine", 4.0), ("psql", postgres))
    ]

    judged = [target for target in judge(result(window=rows)) if "COPY by hand" in target.name]
    assert [target.met for target in judged] == [met, met]


def test_given_nothing_measured_when_judged_then_no_target_is_claimed() -> None:
    assert judge(result()) == []


@pytest.mark.parametrize(
    ("wall", "postgres", "peak", "met"),
    [
        (8.5, 3.4, 60, [True, True, True, True]),
        (8.6, 3.5, 60, [False, False, True, True]),
        (8.5, 3.4, 150, [True, True, False, False]),
    ],
    ids=["all met", "slow and dear", "large and growing"],
)
def test_given_a_restore_when_judged_then_against_pg_restore_of_the_same_rows(
    wall: float, postgres: float, peak: int, met: list[bool]
) -> None:
    create = row("create-4", 4 * MILLION, wall, peak * MILLION)
    create["cpu_seconds"]["postgres"] = postgres
    others = [row("create-1", MILLION, 99.0, 59 * MILLION), row("pg_restore-1", MILLION, 1.0)]

    restore = [create, row("pg_restore-4", 4 * MILLION, 10.0), *others]

    assert [target.met for target in judge(result(restore=restore))] == met


def test_given_questions_then_the_slowest_beside_postgresql_is_the_target() -> None:
    asked = [{"question": "a", "query": 0.1, "postgresql": 1.0}, {"question": "b", "query": 0.6, "postgresql": 1.0}]
    [target] = judge(result(query=asked))
    assert "of 2 (b)" in target.name
    assert (target.measured, target.met) == ("0.60 times", False)
