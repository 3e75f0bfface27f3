"""The commands of the local stack: `python -m local demo | up | down`."""

import argparse
import sys
from collections.abc import Sequence

from local import demo, explore
from local.airflow import versions
from local.airflow.errors import LocalAirflowError
from local.aws.errors import EmulatorError
from local.console import Progress, exit_code
from local.paths import stack_paths
from local.postgres import PostgresError
from local.processes import CommandError

GROUPS = ("definitions", "runs", "tasks", "logs", "uncatalogued")
EXPECTED_ERRORS = (demo.DemoError, LocalAirflowError, EmulatorError, PostgresError, CommandError)


def main(argv: Sequence[str]) -> int:
    """Run a command and return its exit code: 0, 1 for a failure that says why, 130 after Ctrl-C."""
    options = _parser().parse_args(argv)
    progress = Progress()
    return exit_code(progress, lambda: options.command(options, progress), EXPECTED_ERRORS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command, text in (
        ("demo", _demo, "export a real Airflow's metadata through the whole pipeline, then stop everything"),
        ("up", _up, "start the same stack and keep it running"),
        ("down", _down, "stop what `up` started"),
    ):
        subparser = commands.add_parser(name, help=text, description=text)
        subparser.set_defaults(command=command)
        if name != "down":
            subparser.add_argument(
                "--airflow",
                default=versions.NEWEST,
                choices=sorted(versions.VERSIONS),
                help="version (default: %(default)s)",
            )
        if name == "demo":
            subparser.add_argument("--fail", choices=GROUPS, help="kill the Glue run of this table group once")
            text = "restore the export into a second database, and start a second Airflow over it"
            subparser.add_argument("--restore", action="store_true", help=text)
    return parser


def _demo(options: argparse.Namespace, progress: Progress) -> None:
    result = demo.run(stack_paths("demo"), options.airflow, options.fail, options.restore, progress)
    progress.say("")
    progress.say(f"[bold green]The export is {result['summary']['status']}.[/] {result['total_seconds']:.0f} s in all.")


def _up(options: argparse.Namespace, progress: Progress) -> None:
    explore.up(stack_paths("up"), options.airflow, progress)


def _down(options: argparse.Namespace, progress: Progress) -> None:
    explore.down(stack_paths("up"), progress)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
