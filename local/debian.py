"""Unpacks Debian packages, and the libraries that a program of one misses: without root, nothing is installed."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.locks import exclusive

SECONDS = 180
PROVIDED = ("libc6",)  # by the machine: a second one beside its loader would not work


class DebianPackageError(Exception):
    """A Debian package cannot be had here; says why."""


@dataclass(frozen=True)
class DebianProgram:
    """An unpacked program, and where its libraries are."""

    executable: Path
    libraries: tuple[Path, ...]

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which it runs."""
        return {"PATH": os.environ.get("PATH", ""), "LD_LIBRARY_PATH": os.pathsep.join(map(str, self.libraries))}


def ensure(package: str, program: str, folder: Path, beside: Sequence[str] = ()) -> DebianProgram:
    """Return a program of a package, unpacked below `folder` unless it is there already.

    Args:
        package: name of the Debian or Ubuntu package.
        program: path of the program in it, without the slash at its beginning.
        folder: everything is kept below it; made when it is missing.
        beside: further packages that it needs, besides libraries.

    Raises:
        DebianPackageError: no apt here, no such package, no network, or a library is missing.
    """
    folder = folder.resolve()
    root, marker = folder / "root", folder / "complete"
    with exclusive(folder / ".lock"):
        if not marker.is_file():
            shutil.rmtree(root, ignore_errors=True)
            _unpack([package, *beside], program, folder, root)
            marker.write_text(package)
        return _program(root, program)


def ensure_file(package: str, file: str, folder: Path) -> Path:
    """Return a file of a package that needs nothing else, unpacked below `folder` unless it is there already.

    Arguments and errors as in `ensure`.
    """
    folder = folder.resolve()
    found, archives = folder / "root" / file, folder / "archives"
    with exclusive(folder / ".lock"):
        if not found.is_file():
            shutil.rmtree(archives, ignore_errors=True)
            archives.mkdir(parents=True)
            _unpack_once([package], folder, archives, folder / "root")
    if not found.is_file():
        raise DebianPackageError(f"the package {package} has no {file}")
    return found


def _program(root: Path, program: str) -> DebianProgram:
    executable = root / program
    if not executable.is_file():
        raise DebianPackageError(f"the package has no {program}: remove {root.parent} and try again")
    return DebianProgram(executable, tuple(sorted({library.parent for library in root.rglob("*.so*")})))


def _unpack(packages: Sequence[str], program: str, folder: Path, root: Path) -> None:
    """Unpack packages, then the libraries that they name, and those that these name, until nothing is missing."""
    archives = folder / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir(parents=True)
    wanted, seen = list(packages), {*packages, *PROVIDED}
    while wanted:
        depended = _unpack_once(wanted, folder, archives, root)
        missing = _missing_libraries(_program(root, program))
        if not missing:
            return
        wanted = sorted({name for name in depended if name.startswith("lib")} - seen)
        seen.update(wanted)
    raise DebianPackageError(f"{packages[0]} needs libraries that neither it nor this machine has: {missing}")


def _unpack_once(packages: Sequence[str], folder: Path, archives: Path, root: Path) -> list[str]:
    """Unpack packages and return the names of those that they depend on."""
    unpacked = _download(packages, folder, archives)
    for archive in unpacked:
        _run(["dpkg-deb", "-x", str(archive), str(root)], archives)
    return [name for archive in unpacked for name in _dependencies(archive)]


def _download(packages: Sequence[str], folder: Path, archives: Path) -> list[Path]:
    """Download packages by the machine's lists, or by lists of our own where it has none (a container without them)."""
    before = set(archives.glob("*.deb"))
    own = _own_options(folder)
    try:
        _run(["apt-get", *own[:2], "download", *packages], archives)
    except DebianPackageError:
        with contextlib.suppress(DebianPackageError):  # one broken source of many is no reason
            _run(["apt-get", *own, "update"], archives)
        _run(["apt-get", *own, "download", *packages], archives)
    return sorted(set(archives.glob("*.deb")) - before)


def _own_options(folder: Path) -> list[str]:
    """Return options by which apt writes below `folder` only; the first two leave the machine's lists in use."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    settings = {
        "APT::Sandbox::User": "",
        "Dir::State": f"{folder}/state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": f"{folder}/cache",
        "Debug::NoLocking": "1",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _dependencies(archive: Path) -> list[str]:
    fields = _run(["dpkg-deb", "-f", str(archive), "Depends"], archive.parent)
    return [re.split(r"[ (:|]", dependency.strip(), maxsplit=1)[0] for dependency in fields.split(",")]


def _missing_libraries(program: DebianProgram) -> list[str]:
    output = _run(["ldd", str(program.executable)], program.executable.parent, program.environment)
    return re.findall(r"(\S+) => not found", output)


def _run(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except FileNotFoundError as error:
        raise DebianPackageError(f"{command[0]} is not on this machine: it is no Debian or Ubuntu") from error
    except subprocess.TimeoutExpired as error:
        raise DebianPackageError(f"`{' '.join(command)}` took longer than {SECONDS} s") from error
    if done.returncode != 0:
        raise DebianPackageError(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
