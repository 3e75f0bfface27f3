"""The turns: each contestant once a round, so that a slow minute of the machine falls on all of them."""

import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.bench import idle_machine
from local.bench.contestants import Contestant, Outcome
from local.bench.database_use import DatabaseUse, watch
from local.bench.services import Services
from local.bench.usage import Usage, measure
from local.console import Note, Progress

DISTURBED = 0.1  # of the time of one core, used by others during a turn
REPEATS = 3


@dataclass(frozen=True)
class Turn:
    """One run of one contestant."""

    usage: Usage
    outcome: Outcome
    database: DatabaseUse = field(default_factory=DatabaseUse)

    @property
    def disturbance(self) -> float:
        """Cores that others used during this turn, on average."""
        return self.usage.others_cpu_seconds / self.usage.wall_seconds


@dataclass(frozen=True)
class Figures:
    """The turns of one contestant."""

    contestant: Contestant
    turns: tuple[Turn, ...]

    @property
    def walls(self) -> list[float]:
        """Wall seconds of the turns."""
        return [turn.usage.wall_seconds for turn in self.turns]

    @property
    def wall_seconds(self) -> float:
        """Median."""
        return statistics.median(self.walls)

    @property
    def output_bytes(self) -> int:
        """Of the last turn; they do not differ by more than a few bytes."""
        return self.turns[-1].outcome.output_bytes

    def cpu_seconds(self, *names: str) -> float:
        """Median of the processor seconds of these kinds and servers together."""
        return statistics.median(sum(turn.usage.cpu_seconds[name] for name in names) for turn in self.turns)

    def pages(self) -> int:
        """Median of the pages that PostgreSQL read."""
        return round(statistics.median(turn.database.pages for turn in self.turns))

    def statement_seconds(self, kind: str) -> float:
        """Median of PostgreSQL's processor seconds for one kind of statement."""
        return statistics.median(turn.database.cpu_seconds[kind] for turn in self.turns)

    def peak_bytes(self, kind: str) -> int:
        """The most that any turn held."""
        return max(turn.usage.peak_bytes[kind] for turn in self.turns)

    def detail(self, name: str) -> float:
        """Median of a figure that the contestant itself reported."""
        return statistics.median(turn.outcome.details[name] for turn in self.turns)


@dataclass(frozen=True)
class Conditions:
    """How turns are taken.

    Args:
        rounds: how often each contestant is measured.
        patience_seconds: how long to wait before a turn for others on this machine to come to rest; a turn that they
            disturb nevertheless is repeated up to three times, and the least disturbed one counts.
    """

    rounds: int
    patience_seconds: float


def take(
    services: Services, contestants: Sequence[Contestant], conditions: Conditions, progress: Progress
) -> list[Figures]:
    """Run every contestant once a round, in turns, and return their figures in the same order."""
    turns: dict[str, list[Turn]] = {contestant.key: [] for contestant in contestants}
    for number in range(1, conditions.rounds + 1):
        for contestant in contestants:
            with progress.step(
                f"round {number} of {conditions.rounds}: {contestant.label}, {contestant.data.rows:,} rows"
            ) as note:
                turns[contestant.key].append(_take_undisturbed(services, contestant, conditions, note))
    return [Figures(contestant, tuple(turns[contestant.key])) for contestant in contestants]


def _take_undisturbed(services: Services, contestant: Contestant, conditions: Conditions, note: Note) -> Turn:
    taken: list[Turn] = []
    while not taken or (taken[-1].disturbance > DISTURBED and len(taken) <= REPEATS and conditions.patience_seconds):
        idle_machine.wait(conditions.patience_seconds)
        taken.append(_take(services, contestant))
        note(_figures(taken[-1]))
    return min(taken, key=lambda turn: turn.disturbance)


def _figures(turn: Turn) -> str:
    memory = f"Python at most {turn.usage.peak_bytes['python'] / 1e6:.0f} MB"
    disturbed = f"; others used {turn.disturbance:.1f} cores" if turn.disturbance > DISTURBED else ""
    return f"{turn.usage.wall_seconds:.2f} s, {memory}{disturbed}"


def _take(services: Services, contestant: Contestant) -> Turn:
    folder: Path = services.home / "turn"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = contestant.command(services, folder)
    log = services.home / f"{contestant.key}.log"
    watched = watch(services.database, contestant.data.name)
    try:
        usage = measure(command.argv, env=command.env, cwd=folder, log=log, servers=services.pids)
        return Turn(usage, contestant.outcome(services, folder), watched.read())
    finally:
        services.forget_objects()
        shutil.rmtree(folder, ignore_errors=True)
