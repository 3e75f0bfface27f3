"""Short-lived commands of the local stack: their output goes to a log, and none survives its starter."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_running: set[subprocess.Popen[bytes]] = set()


class CommandError(Exception):
    """A command of the local stack failed."""


def run(command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path, typed: str = "") -> None:
    """Run a command to its end, its output appended to `log`, `typed` its input.

    Raises:
        CommandError: with the end of the log.
    """
    with log.open("ab") as output, tempfile.TemporaryFile() as keyboard:
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
        finally:
            _running.discard(process)
    if code != 0:
        raise CommandError(f"`{' '.join(command[:3])} ...` ended with {code}; the end of {log}:\n{_tail(log)}")


def stop_all() -> None:
    """Kill every command that still runs, with what it started."""
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
