"""The JDBC driver of PostgreSQL: Debian's package, unpacked below `.local/`. Nothing is installed, no root needed."""

import shutil
import subprocess
from pathlib import Path

from local.bench.errors import DriverUnavailableError

PACKAGE = "libpostgresql-jdbc-java"
SECONDS = 120


def ensure(folder: Path) -> Path:
    """Return the driver's jar, downloading and unpacking it into `folder` the first time.

    Raises:
        DriverUnavailableError: this is no Debian, or the package cannot be downloaded.
    """
    jar = folder / "usr" / "share" / "java" / "postgresql.jar"
    if jar.exists():
        return jar
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise DriverUnavailableError(
            f"{' and '.join(missing)} not found: the JDBC driver comes as the Debian package {PACKAGE}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        _run(["apt-get", "download", PACKAGE], folder)
    except DriverUnavailableError:  # the system has no lists, or old ones
        _run(["apt-get", *_own_lists(folder), "update"], folder)
        _run(["apt-get", *_own_lists(folder), "download", PACKAGE], folder)
    [package] = folder.glob(f"{PACKAGE}_*.deb")
    _run(["dpkg-deb", "-x", package.name, "."], folder)
    if not jar.exists():
        raise DriverUnavailableError(f"{package.name} holds no {jar.relative_to(folder)}")
    return jar


def _own_lists(folder: Path) -> list[str]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State={folder / 'state'}", "-o", f"Dir::Cache={folder / 'cache'}", "-o", "Debug::NoLocking=1"]


def _run(command: list[str], folder: Path) -> None:
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DriverUnavailableError(f"{' '.join(command)} took longer than {SECONDS} s") from error
    if result.returncode:
        raise DriverUnavailableError(f"{' '.join(command)}: {result.stderr.strip()[-500:]}")
