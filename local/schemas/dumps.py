"""Keeps migrated schemas as dumps of pg_dump, so that only the first use waits for Airflow."""

import hashlib
import os
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local.airflow.versions import find
from local.locks import exclusive
from local.paths import LOCAL
from local.postgres import PostgresServer
from local.schemas.airflow import migrate
from local.schemas.commands import run

ROOT = LOCAL / "schemas"
RECIPE = 1  # raise it when `migrate` comes to make something else of the same version


def restore(server: PostgresServer, dbname: str, version: str, *, root: Path = ROOT) -> str:
    """Create a database with the schema of an Airflow version, and the rows that its migration makes.

    Args:
        server: where; dumps are kept for each of its major versions.
        dbname: must not exist.
        version: as in `local.airflow.versions.VERSIONS`.
        root: folder of the dumps.

    Returns:
        The URL of the database, the superuser's.

    Raises:
        SchemaError: a command failed.
        LocalAirflowError: Airflow cannot be installed.
    """
    dump = ensure_dump(server, version, root=root)
    url = server.create_database(dbname, template="template0")
    _run_tool(server, "pg_restore", url, "--no-owner", "--exit-on-error", str(dump))
    return url


def ensure_dump(server: PostgresServer, version: str, *, root: Path = ROOT) -> Path:
    """Return the dump of a version, made by its real Airflow when it is missing or outdated; arguments as in `restore`.

    One process at a time makes it, beside its place: half a dump is never found.
    """
    airflow = find(version)
    key = repr((RECIPE, server.bin_dir.parent.name, airflow, airflow.requirements))
    dump = root / f"{version}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.dump"
    with exclusive(root / f".{version}.lock"):
        if not dump.is_file():
            _make(server, version, dump)
    return dump


def _make(server: PostgresServer, version: str, dump: Path) -> None:
    scratch = f"made_{uuid.uuid4().hex}"
    unfinished = dump.with_suffix(".unfinished")
    try:
        url = server.create_database(scratch, template="template0")
        migrate(version, url)
        _run_tool(server, "pg_dump", url, "--format=custom", "--compress=1", "--no-owner", f"--file={unfinished}")
    finally:
        server.drop_database(scratch)
    unfinished.replace(dump)


def _run_tool(server: PostgresServer, tool: str, url: str, *options: str) -> None:
    """Run a PostgreSQL tool on a database; the password travels in its environment."""
    parts = urlsplit(url)
    address = ["--host", str(parts.hostname), "--port", str(parts.port), "--username", unquote(parts.username or "")]
    env = {"PATH": os.environ.get("PATH", ""), "PGPASSWORD": unquote(parts.password or "")}
    run([server.bin_dir / tool, *address, "--dbname", unquote(parts.path[1:]), *options], env=env)
