"""Makes the metadata database: migrated by the version's own `airflow db migrate`, or restored from a dump of that.

Migrating and creating the first user take Airflow 10 to 15 s, the same each time: the result of the first time is
dumped beside the environment and restored later. A database that has been migrated before is left as it is.
"""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from local import postgres
from local.airflow.environment import AirflowEnvironment, Progress
from local.airflow.errors import LocalAirflowError

ADMIN = "admin"  # name and password of the first user; the server listens on 127.0.0.1 only


def prepare(
    environment: AirflowEnvironment, database_url: str, variables: Mapping[str, str], *, log: Path, progress: Progress
) -> None:
    """Make the database of `database_url`, which exists, an Airflow metadata database with an administrator.

    Args:
        environment: the Airflow whose schema it gets.
        database_url: libpq URL.
        variables: environment of the Airflow commands.
        log: where the commands write.
        progress: called with a line per step.

    Raises:
        LocalAirflowError: a command failed; with the end of what it wrote.
    """
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT to_regclass('alembic_version'), current_setting('server_version_num')"
        ).fetchone()
    migrated, server = row or (None, "0")
    if migrated:
        return
    major = int(server) // 10_000
    dump = environment.folder / f"metadata-{major}.sql"
    tools = postgres.binary_dir(major)
    if dump.exists():
        _run([str(tools / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump)], _libpq(database_url), log)
        return
    progress(f"Migrating the metadata database with Airflow {environment.version.number}, once for all later starts")
    _run([str(environment.airflow), "db", "migrate"], variables, log)
    name = ["--username", ADMIN, "--firstname", "Local", "--lastname", "Admin", "--email", "admin@example.com"]
    create = [str(environment.airflow), "users", "create", "--role", "Admin", *name, "--password", ADMIN]
    _run(create, variables, log)
    _dump(tools, database_url, dump, log)


def _dump(tools: Path, database_url: str, dump: Path, log: Path) -> None:
    half = dump.with_suffix(f".{os.getpid()}.half")
    try:
        options = ["--no-owner", "--no-privileges", "--file", str(half)]
        _run([str(tools / "pg_dump"), *options], _libpq(database_url), log)
        half.replace(dump)
    finally:
        with contextlib.suppress(FileNotFoundError):
            half.unlink()


def _libpq(database_url: str) -> dict[str, str]:
    """Return the connection as environment variables: a password does not belong into an argument."""
    part = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    return {variable: part[name] for variable, name in names.items() if name in part}


def _run(command: list[str], variables: Mapping[str, str], log: Path) -> None:
    with log.open("ab") as output:
        start = output.tell()
        result = subprocess.run(command, env=variables, stdout=output, stderr=output, check=False, cwd="/")
    if result.returncode:
        with log.open("rb") as written:
            written.seek(start)
            end = written.read().decode(errors="replace").splitlines()[-15:]
        text = "\n".join(end)
        raise LocalAirflowError(f"{Path(command[0]).name} {command[1]} failed with {result.returncode}:\n{text}")
