"""A real PgBouncer in transaction mode on 127.0.0.1, in front of a local PostgreSQL, as Amazon MWAA has one.

Any role of the server can log in through it: PgBouncer asks the server for the role's SCRAM secret (auth_query).
PgBouncer refuses to run as root: for root it runs as `nobody`, like the server itself.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

from local import debian, ports
from local.paths import LOCAL
from local.postgres import HOST, USER, PostgresServer

ROOT = LOCAL / "pgbouncer"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
# No `ignore_startup_parameters`: a client that sends `options` or the like is refused, as by MWAA's.
SETTINGS = {
    "listen_addr": HOST,
    "unix_socket_dir": "",
    "auth_type": "scram-sha-256",
    "auth_user": USER,
    "admin_users": USER,
    "pool_mode": "transaction",
    "max_client_conn": "500",
    "server_reset_query": "",
}


class PgBouncerError(Exception):
    """PgBouncer cannot be started; holds the end of its log."""


@dataclass(frozen=True)
class PgBouncer:
    """A running PgBouncer. Use as a context manager, or call `stop`; an exit of this Python process stops it too."""

    port: int
    server: PostgresServer
    folder: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def url(self, url: str) -> str:
        """Return a URL of the server, by way of this PgBouncer."""
        parts = urlsplit(url)
        credentials, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}@{HOST}:{self.port}"))

    def show(self, what: str) -> list[dict[str, Any]]:
        """Return the rows of an admin command, such as POOLS or SERVERS (https://www.pgbouncer.org/usage.html)."""
        admin = f"postgresql://{USER}:{quote(self.server.password, safe='')}@{HOST}:{self.port}/pgbouncer"
        with contextlib.closing(psycopg.connect(admin, autocommit=True)) as connection:
            # The admin console speaks the simple protocol only.
            result = connection.pgconn.exec_(f"SHOW {what}".encode())
            names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
            values = [
                [(result.get_value(row, column) or b"").decode() for column in range(result.nfields)]
                for row in range(result.ntuples)
            ]
        return [dict(zip(names, row, strict=True)) for row in values]

    def stop(self) -> None:
        """End it, and its connections with it; no error when it has ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        atexit.unregister(self.stop)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "PgBouncer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def ensure(root: Path = ROOT) -> debian.DebianProgram:
    """Return the program, unpacked from Debian's package the first time.

    Raises:
        DebianPackageError: it cannot be had here.
    """
    return debian.ensure("pgbouncer", "usr/sbin/pgbouncer", root)


def start(server: PostgresServer, *, pool_size: int = 20, query_wait_seconds: int = 120) -> PgBouncer:
    """Start one in transaction mode in front of every database of a server.

    Args:
        pool_size: connections to the server for each database and role.
        query_wait_seconds: a client that has waited this long for one of them is turned away.

    Raises:
        DebianPackageError: PgBouncer cannot be had here.
        PgBouncerError: it does not start.
    """
    program = ensure()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    port = ports.reserve()
    sizes = {"default_pool_size": str(pool_size), "query_wait_timeout": str(query_wait_seconds)}
    _configure(folder, server, {**SETTINGS, "listen_port": str(port), **sizes})
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [str(program.executable), str(folder / "pgbouncer.ini")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=program.environment,
            cwd="/",
            **_as_other_user(program.executable, folder),
        )
    bouncer = PgBouncer(port, server, folder, process)
    atexit.register(bouncer.stop)
    try:
        _wait_until_ready(bouncer)
    except BaseException:
        bouncer.stop()
        raise
    return bouncer


def _configure(folder: Path, server: PostgresServer, settings: dict[str, str]) -> None:
    users = folder / "userlist.txt"
    users.touch(0o600)
    doubled = server.password.replace('"', '""')
    users.write_text(f'"{USER}" "{doubled}"\n')
    lines = ["[databases]", f"* = host={HOST} port={server.port}", "[pgbouncer]", f"auth_file = {users}"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")


def _wait_until_ready(bouncer: PgBouncer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while (error := _refusal(bouncer)) is not None:
        if bouncer.process.poll() is not None or time.monotonic() > deadline:
            log = (bouncer.folder / "pgbouncer.log").read_text(errors="replace").splitlines()[-10:]
            raise PgBouncerError(f"PgBouncer does not answer ({error}); the end of its log:\n" + "\n".join(log))
        time.sleep(0.05)


def _refusal(bouncer: PgBouncer) -> psycopg.Error | None:
    try:
        bouncer.show("VERSION")
    except psycopg.OperationalError as error:
        return error
    return None


def _as_other_user(executable: Path, folder: Path) -> dict[str, Any]:
    """Return how to start it: for root as `nobody`, who may then read the configuration and reach the program."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    for parent in executable.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
