"""`fill`: a whole export into a database that Airflow has migrated."""

import psycopg
import pytest
from metadata_restore.errors import DamagedObjectError, RefusedError

from tests.integration.completeness.databases import Databases
from tests.integration.completeness.loading import rows_as_text
from tests.integration.restore.conftest import Export, content, export_of

VERSIONS = ("2.10.3", "3.3.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_given_a_migrated_database_when_an_export_is_restored_then_every_row_is_there_and_numbers_go_on(
    version: str, databases: Databases
) -> None:
    # GIVEN
    source, _ = databases.aged(version)
    export, target = export_of(source), databases.empty(version)

    # WHEN
    outcome = export.restore(target)

    # THEN
    assert outcome.rows == {table.name: table.rows for table in export.plan.tables}
    assert export.plan.rows > 500
    with psycopg.connect(source) as left, psycopg.connect(target) as right:
        for table in outcome.rows:
            assert rows_as_text(right, table) == rows_as_text(left, table), table

        # AND
        number = "INSERT INTO log (dttm, event) VALUES (now(), 'after the restore') RETURNING id"
        assert right.execute(number).fetchone() > right.execute("SELECT max(id) - 1 FROM log").fetchone()
        taken, given = right.execute("SELECT max(id), nextval('ab_user_id_seq') FROM ab_user").fetchone() or (0, 0)
        assert given == (taken or 0) + 1


def test_given_a_target_with_rows_when_restored_again_then_it_is_refused_and_unchanged(databases: Databases) -> None:
    source, _ = databases.aged("3.3.1")
    export, target = export_of(source), databases.empty("3.3.1")
    export.restore(target)
    before = content(target)

    with pytest.raises(RefusedError, match=r"have rows: .*--replace empties them first"):
        export.restore(target)

    assert content(target) == before


def damaged(export: Export, key: str) -> None:
    body = export.objects[key]
    export.objects[key] = body[:-5] + bytes([body[-5] ^ 1]) + body[-4:]


def test_given_an_altered_object_when_restored_then_the_target_is_unchanged(databases: Databases) -> None:
    source, _ = databases.aged("3.3.1")
    export, target = export_of(source), databases.empty("3.3.1")
    before = content(target)
    damaged(export, "exports/xcom.csv.gz")

    with pytest.raises(DamagedObjectError, match="xcom"):
        export.restore(target)

    assert content(target) == before
