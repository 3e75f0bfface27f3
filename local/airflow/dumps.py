"""Migrated metadata schemas, kept as dumps of pg_dump: migrating takes Airflow 10 to 15 s, the same each time."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from local import postgres, processes
from local.airflow.migrations import create_admin, migrate
from local.airflow.versions import find
from local.locks import exclusive
from local.paths import LOCAL
from local.postgres import PostgresServer

ROOT = LOCAL / "schemas"
RECIPE = 3  # raise it when `migrate` or `create_admin` come to make something else of the same version


def restore(server: PostgresServer, dbname: str, version: str, *, root: Path = ROOT) -> str:
    """Create a database with the schema of an Airflow version, and the rows that its migration makes.

    Args:
        server: where.
        dbname: must not exist; does not exist either when it could not be made.
        version: as in `local.airflow.versions.VERSIONS`.
        root: folder of the dumps.

    Returns:
        The URL of the database, the superuser's.

    Raises:
        CommandError: a command failed.
        LocalAirflowError: Airflow cannot be installed.
    """
    url = server.create_database(dbname, template="template0")
    try:
        fill(url, version, root=root)
    except BaseException:
        server.drop_database(dbname)
        raise
    return url


def fill(
    url: str,
    version: str,
    *,
    admin: str | None = None,
    progress: Callable[[str], None] = lambda line: None,
    root: Path = ROOT,
) -> None:
    """Give an empty database the schema of an Airflow version: from its dump, or by migrating it, which makes the dump.

    One process at a time migrates, and half a dump is never found.

    Args:
        url: libpq URL, the owner's.
        version: as in `local.airflow.versions.VERSIONS`.
        admin: name and password of a user with the role Admin; without it there is no user.
        progress: called with a line when it takes long.
        root: folder of the dumps.

    Raises:
        CommandError: a command failed; the database may be half migrated.
        LocalAirflowError: Airflow cannot be installed.
    """
    airflow, tools, variables = find(version), *_tools(url)
    key = repr((RECIPE, tools.parent.name, airflow, airflow.requirements, admin))
    dump = root / f"{version}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.dump"
    with exclusive(root / f".{version}.lock"):
        if not dump.is_file():
            progress(f"Migrating the metadata database with Airflow {version}, once for all later starts")
            migrate(version, url)
            if admin:
                create_admin(version, url, admin)
            unfinished = dump.with_suffix(".unfinished")
            options = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", f"--file={unfinished}"]
            processes.run([str(tools / "pg_dump"), *options], env=variables)
            unfinished.replace(dump)
            return
    options = ["--dbname", variables["PGDATABASE"], "--no-owner", "--exit-on-error", str(dump)]
    processes.run([str(tools / "pg_restore"), *options], env=variables)


def _tools(url: str) -> tuple[Path, dict[str, str]]:
    """Return the folder of the server's own tools, and their environment: a password does not belong in an argument."""
    with psycopg.connect(url) as connection:
        folder = postgres.binary_dir(connection.info.server_version // 10_000)
    part = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    given = {variable: part[name] for variable, name in names.items() if name in part}
    return folder, {"PATH": os.environ.get("PATH", ""), **given}
