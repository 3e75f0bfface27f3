"""A real schema is made once; half of one is never kept."""

from pathlib import Path

import psycopg
import pytest

from local.airflow import dumps
from local.postgres import PostgresServer
from local.processes import CommandError
from tests.integration.completeness.databases import CHOSEN, Databases


def test_given_a_kept_dump_when_restored_again_then_airflow_does_not_run(
    database_server: PostgresServer, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.empty(CHOSEN[0])
    monkeypatch.setattr(dumps, "migrate", _fail)

    url = dumps.restore(database_server, "restored again", CHOSEN[0])

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() is not None


def test_given_a_migration_that_fails_when_restored_then_neither_dump_nor_database_is_left(
    database_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "migrate", _fail)

    with pytest.raises(CommandError, match="migration failed"):
        dumps.restore(database_server, "never made", CHOSEN[0], root=tmp_path)

    assert [file for file in tmp_path.iterdir() if not file.name.endswith(".lock")] == []
    with psycopg.connect(database_server.url()) as connection:
        names = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    assert "never made" not in names


def _fail(version: str, url: str) -> None:
    raise CommandError(f"migration failed for {version}")
