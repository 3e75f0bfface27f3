"""Rows without their parents, tables that refer to each other in a circle, and tables that are not restored."""

from dataclasses import replace

import psycopg
import pytest
from metadata_restore.errors import RefusedError, TargetError

from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import AS_EXPORTED, Export, content, execute, export_of, query

VERSION = "3.3.1"
WITHOUT = replace(AS_EXPORTED, without_orphans=True)
KEYS = "SELECT conname, condeferrable, condeferred, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
# Two tables that refer to each other, and one of them to itself.
CIRCLE = (
    'CREATE TABLE "Ring ""a""" (id int PRIMARY KEY, b int, up int)',
    'CREATE TABLE ring_b (id int PRIMARY KEY, a int REFERENCES "Ring ""a""")',
    'ALTER TABLE "Ring ""a""" ADD FOREIGN KEY (b) REFERENCES ring_b',
    'ALTER TABLE "Ring ""a""" ADD FOREIGN KEY (up) REFERENCES "Ring ""a""" DEFERRABLE',
)


@pytest.fixture
def source(databases: Databases) -> str:
    url, _ = databases.aged(VERSION)
    return url


def test_given_orphans_when_left_out_then_they_and_what_refers_to_them_are_gone_and_the_keys_as_they_were(
    source: str, databases: Databases
) -> None:
    # GIVEN a DAG that is gone, in a database that has lost the keys; task instances refer to its versions
    [(gone, tasks)] = query(
        source,
        "SELECT d.dag_id, count(t.id) FROM dag d JOIN dag_version v USING (dag_id) "
        "JOIN task_instance t ON t.dag_version_id = v.id GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
    )
    execute(source, "SET LOCAL session_replication_role = replica", f"DELETE FROM dag WHERE dag_id = '{gone}'")
    children = query(source, "SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = 'dag'::regclass")
    export, target = export_of(source), databases.empty(VERSION)
    before, keys = content(target), query(target, KEYS)
    plan = {"orphans": {child: 1 for (child,) in children}}

    # WHEN nothing is said of it, THEN nothing is changed
    with pytest.raises(RefusedError, match=r"asset_dag_run_queue \(1\), .* --without-orphans leaves them out"):
        export.restore(target, **plan)
    with pytest.raises(TargetError, match=r"violates foreign key .* --without-orphans"):
        export.restore(target)
    assert content(target) == before

    # WHEN they are left out
    outcome = export.restore(target, WITHOUT, **plan)

    # THEN
    assert tasks > 0
    assert outcome.orphans["dag_version"] == 1
    assert outcome.orphans["task_instance"] >= tasks
    assert outcome.rows == {name: len(rows) for name, rows in content(target).items() if name in outcome.rows}
    assert sum(outcome.rows.values()) + sum(outcome.orphans.values()) == export.plan.rows
    assert query(target, KEYS) == keys
    _every_parent_exists(target)


def test_given_tables_in_a_circle_when_restored_then_their_rows_are_there_and_the_keys_as_they_were(
    databases: Databases,
) -> None:
    source, target = databases.empty(VERSION), databases.empty(VERSION)
    execute(source, *CIRCLE)
    execute(target, *CIRCLE)
    execute(
        source,
        'ALTER TABLE "Ring ""a""" DISABLE TRIGGER ALL',
        'INSERT INTO "Ring ""a""" VALUES (1, 11, NULL), (2, NULL, 1), (3, 13, 2), (4, 14, 3)',
        "INSERT INTO ring_b VALUES (11, 3), (13, NULL)",
    )
    export, keys = export_of(source), query(target, KEYS)

    with pytest.raises(TargetError, match="--without-orphans"):  # 4 refers to 14
        export.restore(target)
    outcome = export.restore(target, WITHOUT, orphans={'Ring "a"': 1})

    assert outcome.orphans == {'Ring "a"': 1}
    assert query(target, 'SELECT * FROM "Ring ""a""" ORDER BY 1') == [(1, 11, None), (2, None, 1), (3, 13, 2)]
    assert query(target, "SELECT * FROM ring_b ORDER BY 1") == [(11, 3), (13, None)]
    assert query(target, KEYS) == keys


def test_given_orphans_that_make_others_in_a_circle_when_left_out_then_all_of_them_are(databases: Databases) -> None:
    source, target = databases.empty(VERSION), databases.empty(VERSION)
    execute(source, *CIRCLE, 'ALTER TABLE "Ring ""a""" DISABLE TRIGGER ALL', "ALTER TABLE ring_b DISABLE TRIGGER ALL")
    execute(target, *CIRCLE)
    # each lacks its parent once the next one is gone; 1 and 11 have each other
    execute(
        source,
        'INSERT INTO "Ring ""a""" VALUES (1, 11, NULL), (2, 12, NULL), (3, 13, NULL), (4, NULL, 3)',
        "INSERT INTO ring_b VALUES (11, 1), (12, 3), (13, 99)",
    )

    outcome = export_of(source).restore(target, WITHOUT, orphans={"ring_b": 1})

    assert outcome.orphans == {'Ring "a"': 3, "ring_b": 2}
    assert query(target, 'SELECT id FROM "Ring ""a"""') == query(target, "SELECT a FROM ring_b") == [(1,)]


def test_given_some_tables_when_restored_then_the_others_keep_their_rows(source: str, databases: Databases) -> None:
    export, target = export_of(source), databases.empty(VERSION)
    before = content(target)

    outcome = replace_plan(export, "variable", "connection", "team").restore(target)

    after = content(target)
    assert set(outcome.rows) == {"variable", "connection", "team"}
    assert {name for name in after if after[name] != before[name]} - {""} == set(outcome.rows)


def test_given_parents_that_are_not_restored_when_restored_then_only_rows_with_parents_are(
    source: str, databases: Databases
) -> None:
    export, target = export_of(source), databases.empty(VERSION)

    with pytest.raises(TargetError, match="--without-orphans"):
        replace_plan(export, "dag", "dag_tag").restore(target)
    outcome = replace_plan(export, "dag", "dag_tag").restore(target, WITHOUT)

    assert outcome.rows == {"dag": 0, "dag_tag": 0}  # no bundle is there


def test_given_rows_that_refer_to_what_would_be_emptied_when_restored_then_it_is_refused(
    source: str, databases: Databases
) -> None:
    export, target = export_of(source), databases.empty(VERSION)
    export.restore(target)
    before = content(target)

    with pytest.raises(RefusedError, match=r"table dag_\w+ has rows .* refer to tables which would be emptied"):
        replace_plan(export, "dag").restore(target, replace(AS_EXPORTED, replace=True))
    assert content(target) == before

    # AND everything can be replaced
    execute(target, "UPDATE dag SET owners = 'changed'")
    export.restore(target, replace(AS_EXPORTED, replace=True))
    assert content(target) == before


def replace_plan(export: Export, *names: str) -> Export:
    return Export(export.only(*names), export.objects)


def _every_parent_exists(url: str) -> None:
    """Have PostgreSQL check every foreign key again."""
    with psycopg.connect(url) as connection:
        keys = connection.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f'"
        ).fetchall()
        for table, name, definition in keys:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD {definition}".encode())
        assert len(keys) > 30
        connection.rollback()
