"""Installs an Airflow version into an environment of its own, `.local/airflow/<version>`."""

import hashlib
import shutil
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from local.airflow import versions
from local.airflow.errors import LocalAirflowError
from local.airflow.versions import AirflowVersion
from local.locks import exclusive

ROOT = Path(__file__).resolve().parents[2] / ".local" / "airflow"
COMPLETE = "complete"  # marker file, written last

Progress = Callable[[str], object]


@dataclass(frozen=True)
class AirflowEnvironment:
    """An installed Airflow."""

    version: AirflowVersion
    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"

    @property
    def airflow(self) -> Path:
        """The command `airflow`."""
        return self.folder / "bin" / "airflow"


def ensure(number: str = versions.NEWEST, *, progress: Progress = print, root: Path = ROOT) -> AirflowEnvironment:
    """Return the environment of Airflow `number`, installing it when it is missing, half-made or outdated.

    Args:
        number: one of `versions.VERSIONS`.
        progress: called with each line that tells how the installation goes; never called when there is nothing to do.
        root: folder of the environments.

    Raises:
        LocalAirflowError: unknown version, or the installation failed; holds the end of the installer's output.
    """
    version = versions.find(number)
    environment = AirflowEnvironment(version, root.resolve() / number)
    with exclusive(root / f".{number}.lock"):
        if not _is_complete(environment):
            _install(environment, progress)
    return environment


def _is_complete(environment: AirflowEnvironment) -> bool:
    marker = environment.folder / COMPLETE
    return marker.is_file() and marker.read_text() == _fingerprint(environment.version)


def _fingerprint(version: AirflowVersion) -> str:
    """Return what an environment depends on: when this changes, it is made again."""
    return hashlib.sha256(repr((version, version.requirements, versions.PYTHON)).encode()).hexdigest()


def _install(environment: AirflowEnvironment, progress: Progress) -> None:
    version, folder = environment.version, environment.folder
    progress(f"Installing Airflow {version.number} (about 300 MB) into {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    _uv(["venv", "--quiet", "--python", versions.PYTHON, str(folder)], progress)
    # Compiled at once: Airflow's components start at the same time, and each would compile for itself.
    options = ["--compile-bytecode", "--exclude-newer", version.packages_until, "--python", str(environment.python)]
    _uv(["pip", "install", *options, *version.requirements], progress)
    (folder / COMPLETE).write_text(_fingerprint(version))


def _uv(arguments: list[str], progress: Progress) -> None:
    """Run uv, handing on its lines except the list of installed packages."""
    last_lines: deque[str] = deque(maxlen=20)
    command = [find_uv_bin(), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in process.stdout:
            last_lines.append(line.rstrip())
            if not line.startswith(" +"):
                progress(f"  {line.rstrip()}")
    if process.returncode:
        raise LocalAirflowError(f"uv {' '.join(arguments[:2])} failed:\n" + "\n".join(last_lines))
