"""An export of the window loads into a database with every constraint, whatever the source has lost or gained."""

import psycopg
import pytest
from metadata_export.references import EXPECTED

from tests.integration.completeness.databases import ALL_CHOSEN, CHOSEN, UPGRADED, Databases
from tests.integration.completeness.engine import Aws, Engine, Export, group_arguments
from tests.integration.completeness.live_catalog import LiveCatalog, read_live_catalog
from tests.integration.completeness.loading import load, rows_as_text
from tests.integration.completeness.runs import OLD, RECENT
from tests.integration.completeness.test_unknown_tables import VERSION

NOTE = """
INSERT INTO dag_run_note (dag_run_id, content, created_at, updated_at)
SELECT id, 'n', %(moment)s, %(moment)s FROM dag_run WHERE run_id = %(run)s ON CONFLICT DO NOTHING
"""
NOTE_WITHOUT_RUN = """
INSERT INTO dag_run_note (dag_run_id, content, created_at, updated_at) VALUES (99999, 'n', %(moment)s, %(moment)s)
"""
KEY_OF_NOTES = """
SELECT conname FROM pg_constraint WHERE conrelid = 'dag_run_note'::regclass AND confrelid = 'dag_run'::regclass
"""
# Airflow's own tables are children of nothing unknown, so these refer to them in every way.
UNKNOWN = """
CREATE TABLE run_ticket (
    id serial PRIMARY KEY, dag_run_id int NOT NULL REFERENCES dag_run (id), dag_id text, run_id text
);
CREATE TABLE ticket_note (id serial PRIMARY KEY, ticket_id int REFERENCES run_ticket (id), at timestamptz);
CREATE TABLE event_ticket (event_id int NOT NULL REFERENCES {event} (id));
CREATE TABLE job_ticket (job_id int REFERENCES job (id));
CREATE TABLE lookalike (dag_id text, run_id text);
INSERT INTO run_ticket (dag_run_id, dag_id, run_id) SELECT id, 'not', 'a key' FROM dag_run;
INSERT INTO ticket_note (ticket_id, at) SELECT id, NULL::timestamptz FROM run_ticket UNION ALL SELECT NULL, NULL;
INSERT INTO event_ticket SELECT id FROM {event};
INSERT INTO job_ticket SELECT id FROM job UNION ALL SELECT NULL;
INSERT INTO lookalike VALUES ('no dag', 'no run');
"""


@pytest.fixture
def url(databases: Databases) -> str:
    """A database of aged data."""
    return databases.aged(VERSION)[0]


def export_of(url: str, aws: Aws, engine: Engine, **changes: object) -> Export:
    return engine.export(group_arguments(aws.connect_to(url), **changes))  # type: ignore[arg-type]


def catalog_of(url: str) -> LiveCatalog:
    with psycopg.connect(url) as connection:
        return read_live_catalog(connection)


def test_given_unknown_tables_that_refer_to_windowed_rows_then_they_follow_them(
    url: str, databases: Databases, aws: Aws, engine: Engine
) -> None:
    # GIVEN tables that no Airflow makes, with a row for each run, event and job
    event = "dataset_event" if VERSION.startswith("2") else "asset_event"
    statements = UNKNOWN.format(event=event)
    target = databases.empty(VERSION)
    for database in (target, url):
        with psycopg.connect(database) as connection:
            connection.execute(statements.encode())

    # WHEN the window is exported, and loaded with every constraint
    export = export_of(url, aws, engine)
    with psycopg.connect(target) as connection:
        load(export, connection, catalog_of(target))
        loaded = {name: len(rows_as_text(connection, name)) for name in export.tables}

    # THEN each has the rows of what was exported, and those that refer to nothing
    assert loaded["run_ticket"] == loaded["dag_run"]
    assert loaded["ticket_note"] == loaded["run_ticket"] + 1
    assert loaded["event_ticket"] == loaded[event]
    assert loaded["job_ticket"] == loaded["job"] + 1
    assert loaded["lookalike"] == 1
    windows = {name: table["window"] for name, table in export.tables.items() if "ticket" in name}
    assert windows == dict.fromkeys(windows, "follow")
    assert export.tables["lookalike"]["window"] == "full"


@pytest.mark.parametrize("not_valid", [False, True], ids=["dropped", "not valid"])
def test_given_a_constraint_that_the_source_lacks_then_the_window_s_rule_holds_all_the_same(
    url: str, databases: Databases, aws: Aws, engine: Engine, not_valid: bool
) -> None:
    # GIVEN a source without a foreign key, and rows that it would have refused
    with psycopg.connect(url) as connection:
        row = connection.execute(KEY_OF_NOTES).fetchone()
        assert row is not None
        connection.execute(f"ALTER TABLE dag_run_note DROP CONSTRAINT {row[0]}".encode())
        connection.execute(NOTE, {"run": "old", "moment": OLD})
        connection.execute(NOTE_WITHOUT_RUN, {"moment": RECENT})
        if not_valid:
            key = f"ADD CONSTRAINT {row[0]} FOREIGN KEY (dag_run_id) REFERENCES dag_run (id) NOT VALID"
            connection.execute(f"ALTER TABLE dag_run_note {key}".encode())

    # WHEN the window is exported
    export = export_of(url, aws, engine)

    # THEN it loads into a database that has the constraint, and the row without a run is reported
    target = databases.empty(VERSION)
    with psycopg.connect(target) as connection:
        load(export, connection, catalog_of(target))
        loaded = rows_as_text(connection, "dag_run_note")
    assert loaded
    assert [row for row in loaded if "99999" in row] == []
    assert export.manifests["runs"]["orphans"] == {"dag_run_note": 1}

    # AND an export of everything has that row, and says so
    everything = export_of(url, aws, engine, cutoff=None)
    assert b"99999" in everything.csv("dag_run_note")
    assert everything.manifests["runs"]["orphans"] == {"dag_run_note": 1}
    assert [group for group, each in everything.manifests.items() if each["orphans"]] == ["runs"]


@pytest.mark.parametrize("kind", [*CHOSEN, UPGRADED])
def test_given_a_migrated_schema_then_it_lacks_no_expected_key(kind: str, databases: Databases) -> None:
    url = databases.aged(kind)[0] if kind == UPGRADED else databases.empty(kind)
    catalog = catalog_of(url)
    live = {(key.child, key.columns, key.parent, key.parent_columns) for key in catalog.references}
    types = {(table, column.name): column.type for table, columns in catalog.columns.items() for column in columns}
    lacking = [
        key
        for key in ((c, tuple(cc.split()), p, tuple(pc.split())) for c, cc, p, pc in EXPECTED)
        if key not in live
        and all(
            (one := types.get((key[0], own))) and (other := types.get((key[2], theirs)))
            and one.partition("(")[0] == other.partition("(")[0]
            for own, theirs in zip(key[1], key[3], strict=True)
        )
    ]  # fmt: skip
    assert lacking == []
    assert sorted(key for key in live if (key[0], " ".join(key[1]), key[2], " ".join(key[3])) not in EXPECTED) == []


@pytest.mark.skipif(not ALL_CHOSEN, reason="needs all versions: AIRFLOW_VERSIONS chose some")
def test_given_all_versions_then_no_expected_key_is_invented(databases: Databases) -> None:
    live = {
        (key.child, " ".join(key.columns), key.parent, " ".join(key.parent_columns))
        for version in CHOSEN
        for key in catalog_of(databases.empty(version)).references
    }
    assert set(EXPECTED) == live
