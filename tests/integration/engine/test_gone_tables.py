"""Tables that are dropped while they are exported: an unknown one is nobody's loss, one of Airflow's fails by name."""

from collections.abc import Callable

import pytest
from metadata_export import export
from metadata_export.errors import ExportError
from metadata_export.introspection import read_catalog, still_there
from metadata_export.source import releasing

from tests.integration.engine.conftest import Database, Engine
from tests.integration.engine.test_replaced_tables import meanwhile  # noqa: F401

LEFTOVER = "_airflow_deleted__log__20261101"
SCHEMA = (
    "CREATE TABLE dag_run (id int PRIMARY KEY, dag_id text, run_id text, state text, updated_at timestamptz)",
    "CREATE TABLE xcom (k text)",
    f"CREATE TABLE {LEFTOVER} (id int)",
    f"INSERT INTO {LEFTOVER} VALUES (1)",
    "CREATE TABLE ticket (id int REFERENCES dag_run (id), at timestamptz)",
    "CREATE TABLE kept (id int)",
)
UNCATALOGUED = {"EXPORT_GROUP": "uncatalogued", "CATALOGUED_TABLES": '["dag_run", "xcom"]'}
WINDOW = {"CUTOFF": "2026-11-11T14:30:22Z", "MAX_AGE_IN_DAYS": "30"}


def test_given_unknown_tables_that_are_dropped_then_they_are_gone_and_the_others_exported(
    engine: Engine,
    database: Database,
    meanwhile: Callable[[str], None],  # noqa: F811
) -> None:
    database.execute(*SCHEMA)
    meanwhile(f"DROP TABLE {LEFTOVER}; DROP TABLE ticket")
    manifest = engine.export({}, **UNCATALOGUED, **WINDOW)
    assert manifest["failed_tables"] == {}
    assert manifest["uncatalogued_tables"] == list(manifest["tables"]) == ["kept"]
    assert {name: "dropped while the export ran" in why for name, why in manifest["skipped_tables"].items()} == {
        LEFTOVER: True,
        "ticket": True,
    }


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE kept RENAME TO renamed", "DROP TABLE kept; CREATE TABLE kept (id int)"],
    ids=["renamed", "made again"],
)
def test_given_an_unknown_table_that_has_changed_and_not_gone_then_it_has_failed(
    engine: Engine,
    database: Database,
    meanwhile: Callable[[str], None],  # noqa: F811
    change: str,
) -> None:
    database.execute(*SCHEMA)
    meanwhile(change)
    with pytest.raises(ExportError, match="cannot be exported: kept"):
        engine.export({}, **UNCATALOGUED)
    assert sorted(engine.manifest("uncatalogued")["tables"]) == [LEFTOVER, "ticket"]


def test_given_a_leftover_that_goes_before_the_catalog_is_read_then_the_group_of_runs_does_not_notice(
    engine: Engine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a window, which the unknown table that refers to runs could decide about
    database.execute(*SCHEMA)
    read = export.read_catalog

    def after_the_drop(*arguments: object) -> object:
        database.execute(f"DROP TABLE {LEFTOVER}", "DROP TABLE ticket")
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(export, "read_catalog", after_the_drop)
    assert list(engine.export({"dag_run": "run"}, **WINDOW)["tables"]) == ["dag_run"]


def test_given_a_table_of_the_registry_that_is_dropped_then_the_error_names_it_and_says_why(
    engine: Engine,
    database: Database,
    meanwhile: Callable[[str], None],  # noqa: F811
) -> None:
    database.execute(*SCHEMA)
    meanwhile("DROP TABLE xcom")
    with pytest.raises(ExportError, match="cannot be exported: xcom"):
        engine.export({"dag_run": "full", "xcom": "full"})
    assert "has changed since the export's snapshot" in engine.manifest()["failed_tables"]["xcom"]
    assert list(engine.manifest()["tables"]) == ["dag_run"]


def test_given_a_table_that_has_gone_then_a_session_that_still_knows_it_is_told(database: Database) -> None:
    database.execute(*SCHEMA)
    source = database.source()
    with releasing(source.connect()) as connection:
        source.begin(connection)
        tables = read_catalog(connection, lambda _: True).tables
        known = [tables[LEFTOVER], tables["kept"]]
        assert still_there(connection, known) == {LEFTOVER, "kept"}
        database.execute(f"DROP TABLE {LEFTOVER}")
        assert still_there(connection, known) == {"kept"}
