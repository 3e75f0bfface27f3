"""Makes databases from files of a schema, and compares schemas as pg_dump prints them."""

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local.postgres import PostgresServer

RANDOM = ("\\restrict ", "\\unrestrict ")  # pg_dump's key against files that hold commands of psql

SEQUENCES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'
ORDER BY 1, 2
"""


def run_psql(server: PostgresServer, dbname: str, file: Path) -> None:
    """Run a file by psql, up to the first error."""
    command = ["psql", "--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", f"--file={file}"]
    _run(server, [*command, server.url(dbname)])


def dumped_schema(server: PostgresServer, dbname: str) -> list[str]:
    """Return the schema of a database, owners and grants apart."""
    lines = _run(server, ["pg_dump", "--schema-only", "--no-owner", "--no-privileges", server.url(dbname)]).splitlines()
    return [line for line in lines if not line.startswith(RANDOM)]


def sequence_states(server: PostgresServer, dbname: str) -> dict[tuple[str, str], tuple[int, bool]]:
    """Return where each sequence of a database stands."""
    connection: psycopg.Connection[Any]
    with psycopg.connect(server.url(dbname)) as connection:
        names = connection.execute(SEQUENCES).fetchall()
        state = sql.SQL("SELECT last_value, is_called FROM {}")
        return {name: connection.execute(state.format(sql.Identifier(*name))).fetchall()[0] for name in names}


def _run(server: PostgresServer, command: list[str]) -> str:
    path = os.pathsep.join([str(server.bin_dir), os.environ["PATH"]])
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
