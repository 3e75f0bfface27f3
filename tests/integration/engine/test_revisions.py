"""The revisions of the schema are in the manifest: Airflow's, and those of each provider that can be read."""

import uuid

import pytest
from metadata_export.errors import ExportError

from tests.integration.engine.conftest import Database, Engine

SCHEMA = (
    "CREATE TABLE dag_run (id int)",
    "CREATE TABLE alembic_version (version_num text)",
    "INSERT INTO alembic_version VALUES ('b'), ('a')",
    "CREATE TABLE alembic_version_fab (version_num text)",
    "INSERT INTO alembic_version_fab VALUES ('fab-1')",
    "CREATE TABLE alembic_version_notes (remark text)",
    "CREATE SCHEMA other",
    "CREATE TABLE other.alembic_version (version_num text)",
    "INSERT INTO other.alembic_version VALUES ('of another')",
)


def test_given_version_tables_when_exported_then_the_manifest_names_their_heads(
    engine: Engine, database: Database
) -> None:
    database.execute(*SCHEMA)

    manifest = engine.export({"dag_run": "full"})

    assert manifest["database"]["alembic_heads"] == {"alembic_version": ["a", "b"], "alembic_version_fab": ["fab-1"]}


def reader(database: Database, *tables: str) -> str:
    """A role that may read these tables."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    database.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD '{name}'", *(f"GRANT SELECT ON {table} TO {name}" for table in tables)
    )
    return name


def test_given_a_provider_s_version_table_that_cannot_be_read_then_it_is_left_out(
    engine: Engine, database: Database
) -> None:
    database.execute(*SCHEMA)
    role = reader(database, "dag_run", "alembic_version")

    manifest = engine.export({"dag_run": "full"}, source=database.source(username=role, password=role))

    assert manifest["database"]["alembic_heads"] == {"alembic_version": ["a", "b"]}


def test_given_airflow_s_version_table_cannot_be_read_then_the_run_fails_and_names_it(
    engine: Engine, database: Database
) -> None:
    database.execute(*SCHEMA)
    role = reader(database, "dag_run")

    with pytest.raises(ExportError, match=r"read alembic_version.*permission denied.*GRANT SELECT ON alembic_version"):
        engine.export({"dag_run": "full"}, source=database.source(username=role, password=role))
