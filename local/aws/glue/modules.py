"""Installs the Python modules that a job asks for, as Glue 5 does.

AWS documented: a `.gluewheels.zip` holds a folder `wheels` with `requirements.txt` and the wheels it names.
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
"""

import hashlib
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from local.aws.glue.failure import LaunchError
from local.locks import exclusive

INSTALL_SECONDS = 300


def install(archive: Path, options: str, python: Path, cache: Path) -> Path:
    """Install the wheels of an archive with the interpreter of the job, and return the folder for its `sys.path`.

    Args:
        archive: the `.gluewheels.zip`.
        options: value of `--python-modules-installer-option`, for pip.
        python: interpreter of the Glue runtime; pip chooses wheels for it.
        cache: folder that keeps installations by content, so that a second run costs nothing.

    Raises:
        LaunchError: the archive or its requirements cannot be installed, with pip's reason.
    """
    digest = hashlib.sha256(archive.read_bytes() + options.encode() + str(python).encode()).hexdigest()[:16]
    target, staging = cache / digest, cache / f".{digest}"
    with exclusive(cache / f"{digest}.lock"):  # all groups of an export start at once and ask for the same
        if not target.exists():
            shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
            _install(archive, options, python, staging)
            staging.rename(target)
    return target


def _install(archive: Path, options: str, python: Path, target: Path) -> None:
    unpacked = archive.with_suffix(".unpacked")
    _unpack(archive, unpacked)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-input", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(target), *shlex.split(options)]
    command += [
        "--find-links",
        str(unpacked / "wheels"),
        "--requirement",
        str(unpacked / "wheels" / "requirements.txt"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if result.returncode:
        raise LaunchError("LAUNCH ERROR", f"Failed to install {archive.name}: {_reason(result.stderr)}")


def _reason(said: str) -> str:
    """Return pip's last error, which warnings and notices may follow; all that it said when it gave none."""
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]
    return errors[-1] if errors else " ".join(said.split())


def _unpack(archive: Path, folder: Path) -> None:
    if not archive.name.endswith(".gluewheels.zip"):
        raise LaunchError("LAUNCH ERROR", f"--additional-python-modules: {archive.name} is not a .gluewheels.zip")
    try:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
    except zipfile.BadZipFile as error:
        raise LaunchError("LAUNCH ERROR", f"{archive.name} is not a zip file") from error
    if not (folder / "wheels" / "requirements.txt").is_file():
        raise LaunchError("LAUNCH ERROR", f"{archive.name} holds no wheels/requirements.txt")
