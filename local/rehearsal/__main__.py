"""`make deploy-local`: deploy, change every parameter, fail, roll back and delete, each step with what was checked."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from local import deployment, paths, release
from local.aws import runtimes, server
from local.aws.errors import EmulatorError
from local.aws.settings import Settings
from local.console import Progress, exit_code
from local.processes import CommandError
from local.rehearsal import changes, steps
from local.rehearsal.stack import RehearsedStack, prepare

EXPECTED_ERRORS = (steps.RehearsalError, release.ReleaseError, CommandError, EmulatorError)
Step = tuple[str, Callable[[RehearsedStack], str]]


def main(argv: Sequence[str]) -> int:
    """Run every step and return the exit code: 0, 1 for a failure that says why, 130 after Ctrl-C.

    Args:
        argv: names of parameters: only these are changed.
    """
    progress = Progress()
    code = exit_code(progress, lambda: rehearse(progress, set(argv)), EXPECTED_ERRORS)
    if code == 0:
        progress.say(f"[green]Everything held.[/] It took {progress.elapsed():.0f} s.")
    return code


def rehearse(progress: Progress, only: set[str]) -> None:
    """Run the steps in an account of their own.

    Raises:
        RehearsalError, CommandError: a step failed.
    """
    with tempfile.TemporaryDirectory() as home, account(Path(home), progress) as stack:
        changes.make_belongings(stack)
        before = stack.everything()
        last: Step = ("sam delete", partial(steps.delete, before=before))
        for name, step in [*_steps(only), last]:
            with progress.step(name) as note:
                note(step(stack))


@contextmanager
def account(home: Path, progress: Progress) -> Iterator[RehearsedStack]:
    """Run an emulated account with an MWAA environment, and make the release."""
    with progress.step("Emulated AWS"):
        lambda_python = runtimes.ensure_lambda_runtime(paths.LAMBDA_RUNTIME)
        aws = server.start(Settings(home=home / "aws", lambda_python=lambda_python))
    with aws:
        with progress.step("make release"):
            released = release.build(deployment.build(log=home / "sam-build.log"), home)
        yield prepare(aws, released, home / "deploy.log")


def _steps(only: set[str]) -> Iterator[Step]:
    yield "deploy.sh of the release", steps.deploy
    yield "mistakes in parameters", steps.refuse
    for change in changes.CHANGES:
        if not only or change.parameter in only:
            yield f"another {change.parameter}", partial(steps.change, changed=change)
    yield "the defaults again", steps.change_back
    yield "updates that fail", steps.roll_back
    yield "a second environment, by sam deploy of the sources", steps.deploy_neighbour


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
