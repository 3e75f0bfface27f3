"""Builds the zip of wheels that the Glue job installs without an index, for one of the Pythons that Glue may have.

It holds the folder ``wheels`` with the wheel files and a ``requirements.txt`` that names them. The same inputs give
the same bytes, so that an unchanged zip keeps its name in S3 and does not touch the job.

AWS documented: the form and the name of a zip of wheels (Appendix A).
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

# Glue 5.1 and 6.0. Both run on Amazon Linux 2023 (glibc 2.34), x86_64.
PYTHON_VERSIONS = ("3.11", "3.13")
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# The earliest time that a zip file can hold, 1980-01-01.
_EPOCH = "315532800"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# Ours, and not what a run or a build left in the folder.
_SOURCES = ("pyproject.toml", "metadata_export", "metadata_proof", "metadata_restore")


def main(arguments: Sequence[str]) -> None:
    """Write ``python<version>.gluewheels.zip``, or that of an addition, into the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--glue", type=Path, required=True, help="folder with pyproject.toml and requirements.txt")
    parser.add_argument("--python", choices=PYTHON_VERSIONS, required=True, help="Python version of Glue")
    parser.add_argument("--addition", metavar="NAME", help="only requirements-NAME.txt, as python<version>.NAME.zip")
    parser.add_argument("--output", type=Path, required=True, help="folder for the zip")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch) / "wheels"
        if options.addition:
            name = f"python{options.python}.{options.addition}.zip"
            download(options.glue / f"requirements-{options.addition}.txt", options.python, wheels)
        else:
            name = f"python{options.python}.gluewheels.zip"
            download(options.glue / "requirements.txt", options.python, wheels)
            shutil.copy(build_own_wheel(options.glue, Path(scratch)), wheels)
        pack(wheels.glob("*.whl"), options.output / name)


def build_own_wheel(glue: Path, scratch: Path) -> Path:
    """Build the wheel of the job's own package and return its path. The source folder is left as it is."""
    source, target = scratch / "source", scratch / "own"
    source.mkdir()
    for name in _SOURCES:
        if (glue / name).is_dir():
            shutil.copytree(glue / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(glue / name, source)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH}
    subprocess.run([*_PIP, "wheel", "--no-deps", "--wheel-dir", str(target), str(source)], check=True, env=environment)
    return next(target.glob("*.whl"))


def download(requirements: Path, version: str, wheels: Path) -> None:
    """Download the wheels of a requirements file for a Python version of Glue; source distributions are refused."""
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", version, *platforms]
    # Without resolving: the file names everything, and what it does not name must not slip in.
    command = [*_PIP, "download", "--no-deps", *target, "--dest", str(wheels), "--requirement", str(requirements)]
    subprocess.run(command, check=True)


def pack(wheels: Iterable[Path], archive: Path) -> None:
    """Write a zip of wheels, with the same bytes for the same wheels."""
    ordered = sorted(wheels, key=lambda wheel: wheel.name)
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr(_entry("wheels/requirements.txt"), "".join(f"{_pin(wheel)}\n" for wheel in ordered))
        for wheel in ordered:
            # A wheel is compressed already.
            target.writestr(_entry(f"wheels/{wheel.name}"), wheel.read_bytes())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_ZIP_TIME)
    entry.external_attr = 0o644 << 16
    return entry


def _pin(wheel: Path) -> str:
    # {distribution}-{version}-... (PEP 427)
    distribution, version, *_ = wheel.name.split("-")
    return f"{distribution.replace('_', '-')}=={version}"


if __name__ == "__main__":
    main(sys.argv[1:])
