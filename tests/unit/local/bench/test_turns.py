"""Contestants take turns; a disturbed turn is repeated while there is patience."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.bench import idle_machine, turns
from local.bench.contestants import Command, Contestant, Outcome
from local.bench.database_use import DatabaseUse
from local.bench.dataset import of_size
from local.bench.usage import Usage
from local.console import Progress

Measured = Callable[[str], tuple[float, float]]


@pytest.fixture
def log(tmp_path: Path) -> list[str]:
    """Names of what happened, in order."""
    return []


@pytest.fixture
def services(tmp_path: Path, log: list[str]) -> Any:
    return SimpleNamespace(
        home=tmp_path, pids={}, database=None, forget_objects=lambda: log.append("objects forgotten")
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, log: list[str]) -> list[tuple[float, float]]:
    """Wall and others' processor seconds of the turns to come."""
    figures: list[tuple[float, float]] = []

    def measure(command: list[str], **_: Any) -> Usage:
        log.append(command[0])
        wall, others = figures.pop(0) if figures else (1.0, 0.0)
        return Usage(wall, {"python": 1.0}, {"python": 1, "java": 0, "other": 0}, others)

    monkeypatch.setattr(turns, "measure", measure)
    monkeypatch.setattr(turns, "watch", lambda *_: SimpleNamespace(read=DatabaseUse))
    monkeypatch.setattr(idle_machine, "wait", lambda seconds: True)
    return figures


def contestant(name: str) -> Contestant:
    return Contestant(name, name, of_size(4_000), lambda *_: Command([name], {}), lambda *_: Outcome(1, 2, {}))


def take(services: Any, names: str, rounds: int, patience: float) -> list[turns.Figures]:
    return turns.take(services, [contestant(name) for name in names], turns.Conditions(rounds, patience), Progress())


def test_given_contestants_when_taken_then_in_turns_and_the_emulators_memory_is_freed_after_each(
    services: Any, measured: list[tuple[float, float]], log: list[str]
) -> None:
    take(services, "ab", rounds=2, patience=0)

    assert log == [word for name in "abab" for word in (name, "objects forgotten")]


def test_given_three_rounds_when_taken_then_the_median_counts(
    services: Any, measured: list[tuple[float, float]]
) -> None:
    measured += [(9.0, 0.0), (2.0, 0.0), (3.0, 0.0)]

    [figures] = take(services, "a", rounds=3, patience=0)

    assert (figures.wall_seconds, figures.walls) == (3.0, [9.0, 2.0, 3.0])


def test_given_disturbed_turns_when_there_is_patience_then_repeated_until_one_is_not(
    services: Any, measured: list[tuple[float, float]]
) -> None:
    measured += [(8.0, 8.0), (6.0, 3.0), (5.0, 0.2), (7.0, 0.0)]

    [figures] = take(services, "a", rounds=1, patience=5)

    assert figures.walls == [5.0]
    assert measured == [(7.0, 0.0)]


def test_given_nothing_but_disturbed_turns_when_repeated_then_the_least_disturbed_counts(
    services: Any, measured: list[tuple[float, float]]
) -> None:
    measured += [(8.0, 8.0), (6.0, 3.0), (9.0, 9.0), (7.0, 7.0), (1.0, 0.0)]

    [figures] = take(services, "a", rounds=1, patience=5)

    assert figures.walls == [6.0]
    assert len(measured) == 1


def test_given_disturbed_turn_when_there_is_no_patience_then_it_counts(
    services: Any, measured: list[tuple[float, float]]
) -> None:
    measured += [(8.0, 8.0), (6.0, 0.0)]

    [figures] = take(services, "a", rounds=1, patience=0)

    assert figures.walls == [8.0]
    assert figures.turns[0].disturbance == 1.0
