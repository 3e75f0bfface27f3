"""Short-lived commands: their output goes to a log or into the error, and none survives its starter."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import paths

SHOWN_LINES = 15  # of a command that failed

_running: set[subprocess.Popen[bytes]] = set()


class CommandError(Exception):
    """A command failed."""


def run(
    command: Sequence[str], *, env: Mapping[str, str], log: Path | None = None, cwd: Path = paths.ROOT, typed: str = ""
) -> None:
    """Run a command to its end.

    Args:
        command: errors show its beginning: credentials belong in `env`.
        env: its whole environment.
        log: its output is appended to this file; without one it is kept for the error alone.
        cwd: where it runs.
        typed: its input.

    Raises:
        CommandError: with the end of its output.
    """
    with log.open("a+b") if log else tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as keyboard:
        output.seek(0, os.SEEK_END)
        begin = output.tell()
        keyboard.write(typed.encode())
        keyboard.seek(0)
        process = subprocess.Popen(
            command,
            stdin=keyboard,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        _running.add(process)
        try:
            code = process.wait()
        except BaseException:
            _kill(process)
            raise
        finally:
            _running.discard(process)
        output.seek(begin)
        lines = output.read().decode(errors="replace").splitlines()[-SHOWN_LINES:]
    if code != 0:
        where = f"the end of {log}" if log else "the end of its output"
        raise CommandError(f"`{' '.join(command[:3])} ...` ended with {code}; {where}:\n" + "\n".join(lines))


def stop_all() -> None:
    """Kill every command that still runs, with what it started."""
    for process in list(_running):
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
