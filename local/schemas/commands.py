"""Runs a command that has no use for a terminal, and names it when it fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.schemas.errors import SchemaError


def run(command: Sequence[str | Path], *, env: Mapping[str, str]) -> None:
    """Run a command to its end; SchemaError with the end of its output when it fails.

    Args:
        env: its whole environment; credentials belong here and not in `command`, which errors quote.
    """
    done = subprocess.run(
        [str(part) for part in command],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise SchemaError(f"`{shown}` ended with {done.returncode}:\n" + "\n".join(done.stdout.splitlines()[-15:]))
