"""What the conditions on sets of dag runs, and the settings around a statement, mean to PostgreSQL."""

import pytest
from metadata_export.planner import BY_INDEX, pinned
from metadata_export.run_set import run_set
from psycopg import sql

from tests.integration.engine.conftest import Database

SETS = {
    "none": [],
    "one": [7],
    "dense": [*range(-20, 100), 102, 104],
    "every second": list(range(0, 200, 2)),
    "whole bytes": list(range(8, 24)),
    "sparse": [-30000, 0, 30000],
    "dense but for one": [*range(100, 190), 5],
}


@pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)
@pytest.mark.parametrize("kind", ["smallint", "integer", "bigint"])
def test_a_set_holds_its_ids_and_no_other(database: Database, kind: str) -> None:
    database.execute(f"CREATE TABLE dag_run (id {kind} PRIMARY KEY)")
    database.execute("INSERT INTO dag_run SELECT generate_series(-150, 400)")
    database.execute("INSERT INTO dag_run VALUES (-32768), (32767), (-30000), (30000)")
    present = {row[0] for row in database.rows("SELECT id FROM dag_run")}
    forms = set()
    with database.connect() as connection:
        for ids in SETS.values():
            condition = run_set(ids, kind).condition(sql.Identifier("id"))
            forms.add("get_bit" in condition.as_string(connection))
            query = sql.SQL("SELECT id FROM dag_run WHERE {}").format(condition)
            assert sorted(row[0] for row in connection.execute(query)) == sorted(present & set(ids))
    assert forms == {True, False}


@pytest.mark.parametrize("kind", ["integer", "bigint"])
def test_ids_at_the_ends_of_their_type_overflow_nothing(database: Database, kind: str) -> None:
    last = 2**31 - 1 if kind == "integer" else 2**63 - 1
    database.execute(f"CREATE TABLE dag_run (id {kind})")
    database.execute(f"INSERT INTO dag_run VALUES ({last}), ({last} - 3), ({-last} - 1), (0)")
    ids = list(range(last - 100, last + 1))
    with database.connect() as connection:
        condition = run_set(ids, kind).condition(sql.Identifier("id"))
        assert "get_bit" in condition.as_string(connection)
        found = connection.execute(sql.SQL("SELECT id FROM dag_run WHERE {}").format(condition)).fetchall()
    assert sorted(row[0] for row in found) == [last - 3, last]


def test_ids_that_are_hostile_texts_are_found_as_they_are(database: Database) -> None:
    hostile = ["", "NULL", '"', "\\", "a,b", "{x}", "'; DROP TABLE dag_run; --", " leading", "ünï 数据", "line\nbreak"]
    database.execute("CREATE TABLE dag_run (id text)")
    with database.connect() as connection:
        connection.cursor().executemany("INSERT INTO dag_run VALUES (%s)", [(each,) for each in [*hostile, "other"]])
        condition = run_set(hostile, "text").condition(sql.Identifier("id"))
        found = connection.execute(sql.SQL("SELECT id FROM dag_run WHERE {}").format(condition)).fetchall()
    assert sorted(row[0] for row in found) == sorted(hostile)


@pytest.mark.parametrize("postgres_server", [16, 18], ids=["PostgreSQL 16", "PostgreSQL 18"], indirect=True)
def test_what_is_forbidden_for_a_statement_is_as_before_after_it_and_unknown_settings_do_no_harm(
    database: Database,
) -> None:
    with database.source().connect() as connection:
        connection.execute("SET enable_memoize = off")  # as a role or a database may have it
        database.source().begin(connection)

        def settings() -> list[object]:
            return [connection.execute(f"SHOW {name}".encode()).fetchall()[0][0] for name in BY_INDEX]

        before = settings()
        with pinned(connection, (*BY_INDEX, "enable_what_no_server_knows")):
            assert set(settings()) == {"off"}
        assert settings() == before == ["on", "off"]
        connection.execute("ROLLBACK")
