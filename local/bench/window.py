"""Who exports a window: all groups of an export at once, as the state machine starts them, and their peers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.bench import builds, contestants, result
from local.bench.builds import Build
from local.bench.contestants import Command, Contestant, Outcome
from local.bench.dataset import Dataset
from local.bench.result import Result
from local.bench.services import Services
from local.bench.turns import Figures

SIZES = (1_000_000, 4_000_000, 16_000_000)
DAYS = 30
SAME_RUNS = 50_000 * DAYS // 365  # those of 30 days in the smallest of SIZES: about 82,000 rows
PSQL = "psql"
SCRIPT = Path(__file__).parent / "baselines" / "window.sql"


@dataclass(frozen=True)
class Window:
    """The newest runs of a database, with all that belongs to them.

    Args:
        kind: "same" number of runs in each database, or 30 "days".
    """

    data: Dataset
    runs: int
    kind: str

    @property
    def cutoff(self) -> str:
        """As `--CUTOFF` has it."""
        return f"{self.data.moment_before(self.runs):%Y-%m-%dT%H:%M:%SZ}"

    @property
    def key(self) -> str:
        """Short name, for files and JSON."""
        return f"{self.kind}-{self.data.runs}"


def windows(sizes: Sequence[Dataset]) -> list[Window]:
    """Return the window of the same number of runs in each database, and that of 30 days in the largest one."""
    largest = max(sizes, key=lambda data: data.runs)
    days = [data.runs * DAYS // 365 for data in sizes]
    same = min(SAME_RUNS, *days)
    found = [Window(data, same, "same") for data in sizes]
    return found if max(days) == same else [*found, Window(largest, max(days), "days")]


def engine(window: Window, build: Build, planned: dict[str, Any]) -> Contestant:
    """All groups of a build's own plan at once, each a run of its script."""
    groups = {group["group"]: group for group in planned["groups"]}

    def command(services: Services, folder: Path) -> Command:
        commands = {}
        for name, group in groups.items():
            (folder / name).mkdir()
            arguments = builds.job_arguments(
                planned["export"], group, list(groups), database=window.data.name, cutoff=window.cutoff
            )
            env = contestants.engine_environment(services, build, folder / name)
            commands[name] = Command([*contestants.script(build), *arguments], env)
        return contestants.all_at_once(commands, services, folder)

    def outcome(services: Services, folder: Path) -> Outcome:
        return contestants.read_manifests(services, list(groups.values()))

    return Contestant(f"{build.key}-{window.key}", build.label, window.data, command, outcome)


def psql(window: Window) -> Contestant:
    """One psql with a COPY for each table, written by hand, and gzip."""
    key = f"{PSQL}-{window.key}"

    def command(services: Services, folder: Path) -> Command:
        url = services.database.url(window.data.name)
        options = ["-X", "-v", "ON_ERROR_STOP=1", "-v", f"cutoff={window.cutoff}", "-f", str(SCRIPT)]
        return Command([str(services.database.bin_dir / "psql"), *options, url], services.environment)

    def outcome(services: Services, folder: Path) -> Outcome:
        answers = (services.home / f"{key}.log").read_text().splitlines()
        rows = sum(int(line.removeprefix("COPY ")) for line in answers if line.startswith("COPY "))
        return Outcome(rows, sum(file.stat().st_size for file in folder.glob("*.csv.gz")), {})

    return Contestant(key, "psql, COPY by hand", window.data, command, outcome)


def row(contestant: str, window: Window, figures: Figures, start_seconds: float) -> Result:
    """Return a contestant's figures over a window.

    Args:
        contestant: its name over all windows.
        start_seconds: what so many of Spark's starts at once take without anything else.
    """
    found = result.row(figures)
    exported = figures.turns[-1].outcome.rows
    return found | {
        "contestant": contestant,
        "kind": window.kind,
        "database_rows": window.data.rows,
        "rows": window.data.rows if exported is None else exported,
        "start_seconds": start_seconds,
    }
