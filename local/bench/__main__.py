"""`python -m local.bench`: measure the export engine against what else there is, and write it down."""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local import paths
from local.aws.errors import EmulatorError
from local.bench import (
    builds,
    contestants,
    dataset,
    fixed,
    functions,
    jdbc,
    questions,
    report,
    restoring,
    result,
    services,
    turns,
    window,
)  # fmt: skip
from local.bench.builds import THIS
from local.bench.contestants import Contestant
from local.bench.dataset import Dataset
from local.bench.errors import BenchError, DriverUnavailableError
from local.bench.result import Result
from local.bench.services import Services
from local.console import Progress
from local.postgres import PostgresError

HOME = paths.LOCAL / "bench"
DOCS = paths.ROOT / "docs"
RESULT = "result.json"
ROWS = 4_000_000
PARTS = ("contest", "memory", "slots", "parquet", "window", "fixed", "query", "functions", "restore")


def main(argv: Sequence[str]) -> int:
    """Run the benchmark and return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    complete = set(options.parts) == set(PARTS)
    if options.docs and not complete:
        parser.error("--docs needs all parts: the page shows them together")
    if options.docs is None:
        options.docs = complete and options.rows >= ROWS and options.window_rows == window.SIZES
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = Progress()
    try:
        with services.running(options.home) as running:
            measured = Bench(running, options, progress).run(shlex.join(["python", "-m", "local.bench", *argv]))
    except KeyboardInterrupt:
        progress.say("stopped: servers and contestants are ended")
        return 130
    except (BenchError, PostgresError, EmulatorError) as error:
        progress.note(str(error))
        return 1
    _publish(measured, options, progress)
    return 0


class Bench:
    """One run of the benchmark over running services."""

    def __init__(self, running: Services, options: argparse.Namespace, progress: Progress) -> None:
        self._services, self._options, self._progress = running, options, progress
        self._data = dataset.of_size(options.rows)
        self._quarter = dataset.of_size(options.rows // 4)
        self._sample = dataset.of_size(min(options.sample_rows, options.rows))
        self._table = dataset.of_size(options.rows, ("log",))
        self._windows = window.windows([dataset.of_size(rows) for rows in options.window_rows])
        self._builds = [THIS, *(builds.of_commit(commit, options.home / "worktrees") for commit in options.against)]

    def run(self, command: str) -> Result:
        """Prepare the databases, let everybody take their turns, and return the result."""
        parts = self._options.parts
        with self._progress.step("databases") as note:
            services.prepare(self._services, self._needed(), note)
        measured = result.begin(command, self._services.postgres_version)
        self._contest(measured, parts)
        others = {
            "memory": self._memory,
            "slots": self._slots,
            "parquet": self._parquet,
            "window": self._window,
            "fixed": self._fixed,
            "query": self._query,
            "functions": self._functions,
            "restore": self._restore,
        }
        for part in (part for part in others if part in parts):
            result.write(measured, self._options.home / RESULT)  # an interrupt loses only what comes after
            others[part](measured)
        return measured

    def _needed(self) -> list[Dataset]:
        by_part = {
            "contest": [self._data, self._sample],
            "memory": [self._quarter, self._data],
            "slots": [self._table],
            "parquet": [self._quarter, self._data],
            "window": [each.data for each in self._windows],
            "fixed": [self._sample],
            "restore": [self._quarter, self._data],
            "query": [self._data],
        }
        chosen = [by_part.get(part, []) for part in PARTS if part in self._options.parts]
        return list(dict.fromkeys(data for needed in chosen for data in needed))

    def _contest(self, measured: Result, parts: Sequence[str]) -> None:
        """Measure Spark's start, which every part needs, and, when it is asked for, everybody on the same rows."""
        entrants = [contestants.spark_start(self._data)]
        if "contest" in parts:
            entrants += [
                *(contestants.engine(self._data, build=build) for build in self._builds),
                contestants.pg_dump(self._data, 2),
                contestants.pg_dump(self._data, 1),
            ]
            entrants += self._with_driver(measured)
        start, *others = self._take(entrants)
        seconds = [turn.outcome.details["start_seconds"] for turn in start.turns]
        measured["spark_start_seconds"] = {
            "median": start.detail("start_seconds"),
            "min": min(seconds),
            "max": max(seconds),
        }
        measured["contest"] = [result.row(figures) for figures in others]
        if others:
            result.add_csv_speed(measured["contest"], others[0].detail("csv_bytes") / self._data.rows)

    def _with_driver(self, measured: Result) -> list[Contestant]:
        make: dict[str, Callable[[Dataset, Path], Contestant]] = {
            "the original's way": contestants.original,
            "Spark JDBC to CSV": contestants.spark_csv,
        }
        try:
            jar = jdbc.ensure(self._options.home / "jdbc")
        except DriverUnavailableError as error:
            measured["unavailable"] = dict.fromkeys(make, str(error))
            return []
        return [entrant(self._sample, jar) for entrant in make.values()]

    def _memory(self, measured: Result) -> None:
        largest = max((each.data for each in self._windows), key=lambda data: data.runs)
        sizes = dict.fromkeys([self._quarter, self._data, *([largest] if "window" in self._options.parts else [])])
        for figures in self._take([contestants.engine(data, key=f"engine-{data.rows}") for data in sizes]):
            measured["memory"].append(self._engine_row(figures))

    def _slots(self, measured: Result) -> None:
        numbers = (1, 2)
        entrants = [
            contestants.engine(
                self._table, slots=slots, key=f"engine-slots-{slots}", label=f"this engine, slots: {slots}"
            )
            for slots in numbers
        ]
        for slots, figures in zip(numbers, self._take(entrants), strict=True):
            measured["slots"].append(self._engine_row(figures) | {"slots": slots})

    def _parquet(self, measured: Result) -> None:
        entrants = [
            contestants.engine(data, formats=formats, key=f"engine-{name}-{data.rows}", label=f"this engine, {name}")
            for data in (self._data, self._quarter)
            for name, formats in (("CSV alone", ("csv",)), ("CSV and Parquet", ("csv", "parquet")))
        ]
        measured["parquet"] = [self._engine_row(figures) for figures in self._take(entrants)]

    def _window(self, measured: Result) -> None:
        """Measure the windows, and as many of Spark's starts at once as each build has groups."""
        plans = {build: builds.plan(build) for build in self._builds}
        groups = {build: len(plan["groups"]) for build, plan in plans.items()}
        starts = {number: contestants.spark_start(self._sample, number) for number in sorted(set(groups.values()))}
        largest = self._windows[-1].data
        entrants: list[tuple[str, window.Window, Contestant]] = []
        for each in self._windows:
            entrants += [(build.key, each, window.engine(each, build, plans[build])) for build in self._builds]
            entrants += [(window.PSQL, each, window.psql(each))]
        everything = window.Window(largest, largest.runs, "everything")
        entrants += [("pg_dump", everything, contestants.pg_dump(largest, 2))]
        taken = self._take([*starts.values(), *(entrant for *_, entrant in entrants)])
        seconds = {number: figures.detail("start_seconds") for number, figures in zip(starts, taken, strict=False)}
        start_of = {build.key: seconds[number] for build, number in groups.items()}
        measured["window"] = [
            window.row(name, each, figures, start_of.get(name, 0.0))
            for (name, each, _), figures in zip(entrants, taken[len(starts) :], strict=True)
        ]

    def _fixed(self, measured: Result) -> None:
        entrants = [each for build in self._builds for each in fixed.entrants(self._sample, build)]
        figures = self._take(entrants)
        measured["fixed"] = {"steps": [result.row(each) for each in figures], "imports": fixed.imports(THIS)}

    def _query(self, measured: Result) -> None:
        with self._progress.step(f"questions over {self._data.rows:,} rows as Parquet and in PostgreSQL"):
            measured["query"] = questions.measure(self._services, self._data, self._options.rounds)

    def _functions(self, measured: Result) -> None:
        with self._progress.step("cold starts of the functions"):
            log = self._options.home / "sam-build.log"
            measured["functions"] = functions.measure(2 * self._options.rounds, log)

    def _restore(self, measured: Result) -> None:
        with self._progress.step("exports and dumps to restore"):
            sizes = {data: restoring.prepare(self._services, data) for data in (self._quarter, self._data)}
        entrants = [each for data, folder in sizes.items() for each in restoring.entrants(data, folder)]
        measured["restore"] = [result.row(figures) for figures in self._take(entrants)]

    def _engine_row(self, figures: turns.Figures) -> Result:
        line = result.row(figures)
        result.add_csv_speed([line], figures.detail("csv_bytes") / figures.contestant.data.rows)
        return line

    def _take(self, entrants: Sequence[Contestant]) -> list[turns.Figures]:
        conditions = turns.Conditions(self._options.rounds, self._options.patience)
        return turns.take(self._services, entrants, conditions, self._progress)


def _publish(measured: Result, options: argparse.Namespace, progress: Progress) -> None:
    report.print_tables(measured, progress)
    result.write(measured, options.home / RESULT)
    progress.say(f"written: {options.home / RESULT}")
    if not options.docs:
        return
    (DOCS / "benchmarks.svg").write_text(report.draw_chart(measured))
    report.update_page(DOCS / "benchmarks.md", measured)
    progress.say("written: docs/benchmarks.md, docs/benchmarks.svg")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="over dag_run, task_instance, xcom and log together")
    parser.add_argument(
        "--sample-rows", type=int, default=300_000, help="for the contestants that load tables into one process"
    )
    window_help = "sizes of the databases of the part window, comma-separated; by hand --window-rows=100000000"
    parser.add_argument("--window-rows", type=_numbers, default=window.SIZES, help=window_help)
    against_help = "measure this commit's engine in turns beside today's, from a worktree of it; may be given again"
    parser.add_argument("--against", metavar="COMMIT", action="append", default=[], help=against_help)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", type=_parts, default=PARTS, help=f"comma-separated, of {', '.join(PARTS)}")
    parser.add_argument("--home", type=Path, default=HOME, help="folder for databases and result.json")
    patience_help = "seconds to wait before a turn for other work on this machine to end; 0: measure as it is"
    parser.add_argument("--patience", type=float, default=15, help=patience_help)
    docs_help = f"write docs/benchmarks.md and .svg too; by default with all parts and {ROWS:,} rows or more"
    parser.add_argument("--docs", action=argparse.BooleanOptionalAction, default=None, help=docs_help)
    return parser


def _numbers(value: str) -> tuple[int, ...]:
    return tuple(map(int, value.split(",")))


def _parts(value: str) -> tuple[str, ...]:
    chosen = tuple(value.split(","))
    if unknown := set(chosen) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
