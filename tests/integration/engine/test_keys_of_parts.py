"""Which rows of an unknown table follow what: whichever of its parts has the foreign key, and whatever it refers to."""

import csv
import gzip
import io
from contextlib import suppress

import psycopg
import pytest
from metadata_export.errors import ExportError
from metadata_export.schema.document import read_schema
from metadata_export.source import releasing

from tests.integration.engine.conftest import Database, Engine

RUNS = (
    "CREATE TABLE dag_run (id int PRIMARY KEY, dag_id text, run_id text, state text, updated_at timestamptz)",
    "INSERT INTO dag_run VALUES (1, 'd', 'old', 'success', '2026-01-01'), (2, 'd', 'new', 'success', '2026-12-01')",
    "INSERT INTO dag_run VALUES (3, 'd', 'older', 'success', '2025-01-01')",
)
WINDOW = {
    "EXPORT_GROUP": "uncatalogued",
    "CATALOGUED_TABLES": '["dag_run", "celery_taskmeta", "log"]',
    "WINDOWS": '{"dag_run": "run", "celery_taskmeta": "date", "log": "date"}',
    "CUTOFF": "2026-11-11T14:30:22Z",
    "MAX_AGE_IN_DAYS": "30",
}
TICKETS = (
    "CREATE TABLE ticket (id int, run int) PARTITION BY RANGE (id)",
    "CREATE TABLE low PARTITION OF ticket FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE high PARTITION OF ticket FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)",
    "CREATE TABLE leaf PARTITION OF high DEFAULT",
)
CHILD = (
    "CREATE TABLE ticket (id int, run int)",
    "CREATE SCHEMA archive",
    "CREATE TABLE archive.ticket () INHERITS (public.ticket)",
)
NO_CASE = ("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">")
KEYS = {
    # name: (how it is made, table -> the rows of its file)
    "a partition has the key": (
        (
            *TICKETS,
            "ALTER TABLE low ADD FOREIGN KEY (run) REFERENCES dag_run",
            "ALTER TABLE high ADD FOREIGN KEY (run) REFERENCES dag_run",
            "INSERT INTO ticket VALUES (1, 1), (2, 2), (11, 1), (12, 2), (13, NULL)",
        ),
        {"ticket": "2,2 12,2 13,"},
    ),
    "one partition has no key": (
        (
            *TICKETS,
            "ALTER TABLE low ADD FOREIGN KEY (run) REFERENCES dag_run",
            "INSERT INTO ticket VALUES (1, 1), (2, 2), (11, 1), (12, 99)",
        ),
        {"ticket": "2,2 11,1 12,99"},
    ),
    "it refers to a partition": (
        (
            *TICKETS,
            "ALTER TABLE ticket ADD FOREIGN KEY (run) REFERENCES dag_run",
            "ALTER TABLE low ADD PRIMARY KEY (id)",
            "CREATE TABLE note (ticket int REFERENCES low)",
            "INSERT INTO ticket VALUES (1, 1), (2, 2)",
            "INSERT INTO note VALUES (1), (2), (NULL)",
        ),
        {"ticket": "2,2", "note": "2 "},
    ),
    "a child has no key": (
        (
            *CHILD,
            "ALTER TABLE ticket ADD FOREIGN KEY (run) REFERENCES dag_run",
            "INSERT INTO ticket VALUES (1, 1), (2, 2)",
            "INSERT INTO archive.ticket VALUES (3, 99), (4, 1)",
        ),
        {"ticket": "2,2 3,99 4,1"},
    ),
    "only a child has the key": (
        (
            *CHILD,
            "ALTER TABLE archive.ticket ADD FOREIGN KEY (run) REFERENCES dag_run",
            "INSERT INTO ticket VALUES (1, 1), (2, 99)",
            "INSERT INTO archive.ticket VALUES (3, 1), (4, 2)",
        ),
        {"ticket": "1,1 2,99 4,2"},
    ),
    "a child has the same key as another row": (
        (
            *CHILD,
            "ALTER TABLE ticket ADD PRIMARY KEY (id), ADD FOREIGN KEY (run) REFERENCES dag_run",
            "CREATE TABLE note (ticket int REFERENCES ticket)",
            "INSERT INTO ticket VALUES (1, 1), (2, 2)",
            "INSERT INTO archive.ticket VALUES (1, 2)",
            "INSERT INTO note VALUES (1), (2)",
        ),
        {"ticket": "2,2 1,2", "note": "2"},
    ),
    "it refers to itself": (
        (
            'CREATE TABLE ticket (id int PRIMARY KEY, run int REFERENCES dag_run, "Above it" int REFERENCES ticket)',
            "CREATE TABLE note (ticket int REFERENCES ticket)",
            "INSERT INTO ticket VALUES (1, 1, NULL), (2, 2, 1), (3, 2, 2), (4, 2, NULL), (5, 2, 4), (6, 1, 4)",
            "INSERT INTO ticket VALUES (7, NULL, 5)",
            "INSERT INTO ticket VALUES (8, NULL, 6), (9, 2, 9), (10, 2, 11), (11, 2, 10), (12, 2, 13), (13, 1, 12)",
            "INSERT INTO note VALUES (3), (5), (7), (8)",
        ),
        {"ticket": "4,2, 5,2,4 7,,5 9,2,9 10,2,11 11,2,10", "note": "5 7"},
    ),
    "it and what it refers to refer to themselves": (
        (
            "CREATE TABLE ticket (id int PRIMARY KEY, run int REFERENCES dag_run, above int REFERENCES ticket)",
            "CREATE TABLE note (id int PRIMARY KEY, ticket int REFERENCES ticket, above int REFERENCES note)",
            "INSERT INTO ticket VALUES (1, 1, NULL), (2, 2, 1), (3, 2, NULL), (4, 2, 3)",
            "INSERT INTO note VALUES (1, 2, NULL), (2, 4, 1), (3, 4, NULL), (4, 3, 3), (5, NULL, 2), (6, NULL, 4)",
        ),
        {"ticket": "3,2, 4,2,3", "note": "3,4, 4,3,3 6,,4"},
    ),
    "it refers to itself by two keys": (
        (
            "CREATE TABLE ticket (id int PRIMARY KEY, run int REFERENCES dag_run, a int, b int)",
            "ALTER TABLE ticket ADD FOREIGN KEY (a) REFERENCES ticket, ADD FOREIGN KEY (b) REFERENCES ticket",
            "INSERT INTO ticket (id, run) VALUES (1, 1), (2, 2)",
            "INSERT INTO ticket VALUES (3, 2, 2, NULL), (4, 2, NULL, 3), (5, 2, NULL, 1), (6, 2, 5, 2)",
            "INSERT INTO ticket VALUES (7, 2, 4, 2)",
        ),
        {"ticket": "2,2,, 3,2,2, 4,2,,3 7,2,4,2"},
    ),
    "a partition refers to itself": (
        (
            "CREATE TABLE ticket (id int, run int REFERENCES dag_run, above int) PARTITION BY RANGE (id)",
            *TICKETS[1:],
            "ALTER TABLE low ADD PRIMARY KEY (id), ADD FOREIGN KEY (above) REFERENCES low",
            "INSERT INTO ticket VALUES (1, 1, NULL), (2, 2, 1), (3, 2, NULL), (4, 2, 3), (11, 2, 1), (12, 2, 99)",
        ),
        {"ticket": "3,2, 4,2,3 11,2,1 12,2,99"},
    ),
    "it refers to another schema": (
        (
            "CREATE SCHEMA plugin",
            "CREATE TABLE plugin.middle (id int PRIMARY KEY, run int REFERENCES dag_run)",
            "CREATE TABLE ticket (middle int REFERENCES plugin.middle)",
            "INSERT INTO plugin.middle VALUES (1, 1), (2, 2)",
            "INSERT INTO ticket VALUES (1), (2)",
        ),
        {"ticket": "2"},
    ),
    "it refers to Celery's results in another schema": (
        (
            "CREATE SCHEMA celery",
            "CREATE TABLE celery.celery_taskmeta (id int PRIMARY KEY, date_done timestamp)",
            "CREATE TABLE ticket (task int REFERENCES celery.celery_taskmeta)",
            "INSERT INTO celery.celery_taskmeta VALUES (1, '2026-01-01'), (2, '2026-12-01')",
            "INSERT INTO ticket VALUES (1), (2)",
        ),
        {"ticket": "2"},
    ),
    "a child has NULL where the table does not": (
        (
            *CHILD,
            "ALTER TABLE ticket ADD FOREIGN KEY (run) REFERENCES dag_run",
            "ALTER TABLE ticket ADD CONSTRAINT filled NOT NULL run NO INHERIT",
            "ALTER TABLE archive.ticket ADD FOREIGN KEY (run) REFERENCES dag_run",
            "INSERT INTO archive.ticket VALUES (1, 1), (2, 2), (3, NULL)",
        ),
        {"ticket": "2,2 3,"},
    ),
    "NOT NULL is not valid": (
        (
            "CREATE TABLE ticket (id int, run int REFERENCES dag_run)",
            "INSERT INTO ticket VALUES (1, 1), (2, 2), (3, NULL)",
            "ALTER TABLE ticket ADD CONSTRAINT filled NOT NULL run NOT VALID",
        ),
        {"ticket": "2,2 3,"},
    ),
    "another equality": (
        (
            "CREATE TYPE public.no_case AS (t text)",
            (
                "CREATE FUNCTION public.compared(public.no_case, public.no_case) RETURNS int LANGUAGE sql IMMUTABLE"
                " AS 'SELECT pg_catalog.bttextcmp(lower(($1).t), lower(($2).t))'"
            ),
            *(
                f"CREATE FUNCTION public.{name}(public.no_case, public.no_case) RETURNS boolean LANGUAGE sql IMMUTABLE"
                f" AS 'SELECT public.compared($1, $2) {sign} 0'"
                for name, sign in NO_CASE
            ),
            *(
                f"CREATE OPERATOR public.{sign} (LEFTARG = no_case, RIGHTARG = no_case, FUNCTION = public.{name})"
                for name, sign in NO_CASE
            ),
            "CREATE OPERATOR CLASS public.no_case_ops DEFAULT FOR TYPE public.no_case USING btree AS "
            + ", ".join(f"OPERATOR {number} public.{sign}" for number, (_, sign) in enumerate(NO_CASE, 1))
            + ", FUNCTION 1 public.compared(public.no_case, public.no_case)",
            "CREATE TABLE ticket (code public.no_case PRIMARY KEY, run int REFERENCES dag_run)",
            "CREATE TABLE note (code public.no_case REFERENCES ticket)",
            "INSERT INTO ticket VALUES ('(old)', 1), ('(new)', 2)",
            "INSERT INTO note VALUES ('(OLD)'), ('(NEW)')",
        ),
        {"ticket": "(new),2", "note": "(NEW)"},
    ),
    "a long chain": (
        (
            "CREATE TABLE t0 (id int PRIMARY KEY REFERENCES dag_run)",
            *(f"CREATE TABLE t{n} (id int PRIMARY KEY REFERENCES t{n - 1})" for n in range(1, 33)),
            *(f"INSERT INTO t{n} VALUES (1), (2)" for n in range(33)),
        ),
        {f"t{n}": "2" for n in range(33)},
    ),
}


@pytest.mark.parametrize(("made", "files"), KEYS.values(), ids=KEYS)
def test_given_an_unknown_table_then_each_row_follows_what_it_refers_to(
    engine: Engine, database: Database, made: tuple[str, ...], files: dict[str, str]
) -> None:
    database.execute(*RUNS, *made)
    manifest = engine.export({}, **WINDOW)
    assert {name: rows_of(engine, name) for name in manifest["tables"]} == {
        name: sorted(rows.split(" ")) for name, rows in files.items()
    }
    assert (manifest["failed_tables"], manifest["orphans"]) == ({}, {})


def test_given_a_dated_table_that_refers_to_itself_then_a_row_follows_the_one_above_it_and_the_first_its_date(
    engine: Engine, database: Database
) -> None:
    database.execute(
        *RUNS,
        "CREATE TABLE celery_taskmeta (id int PRIMARY KEY, date_done timestamp, above int REFERENCES celery_taskmeta)",
        "INSERT INTO celery_taskmeta VALUES (1, '2026-01-01'), (2, '2026-12-01')",
        "INSERT INTO celery_taskmeta VALUES (3, '2026-12-01', 1)",
        "INSERT INTO celery_taskmeta VALUES (4, '2026-01-01', 2), (5, NULL, 4), (6, NULL, 3)",
    )
    engine.export({"celery_taskmeta": "date"}, **WINDOW)
    assert rows_of(engine, "celery_taskmeta") == ["2,2026-12-01 00:00:00,", "4,2026-01-01 00:00:00,2", "5,,4"]


@pytest.mark.parametrize(
    ("ticket", "runs"),
    [
        ("(at timestamptz, made_by int REFERENCES dag_run, made int REFERENCES dag_run)", "1 2 3"),
        ("(at timestamptz, dag_id int REFERENCES dag_run, run_id int)", "1 2"),
    ],
    ids=["that refers to two runs", "whose columns have names of the run's key"],
)
def test_given_an_unknown_row_of_the_window_then_every_run_that_it_refers_to_is_in_it(
    engine: Engine, database: Database, ticket: str, runs: str
) -> None:
    database.execute(*RUNS, f"CREATE TABLE ticket {ticket}", "INSERT INTO ticket VALUES ('2026-12-01', 1, 3)")
    tables = engine.export({"dag_run": "run"}, **WINDOW)["tables"]
    assert [row.partition(",")[0] for row in rows_of(engine, "dag_run")] == runs.split()
    assert tables["ticket"]["rows"] == 1


def test_given_a_key_of_a_period_then_its_table_fails_and_says_what_to_do(engine: Engine, database: Database) -> None:
    database.execute(
        *RUNS,
        "CREATE TABLE ticket (id int4range, at daterange, run int REFERENCES dag_run,"
        " PRIMARY KEY (id, at WITHOUT OVERLAPS))",
        "CREATE TABLE note (id int4range, at daterange, FOREIGN KEY (id, PERIOD at) REFERENCES ticket (id, PERIOD at))",
    )
    with pytest.raises(ExportError, match=r"note refers to a PERIOD of ticket \(id, at\).* max_age_in_days null"):
        engine.export({}, **WINDOW)
    assert list(engine.manifest("uncatalogued")["tables"]) == ["ticket"]


def test_given_a_child_by_the_same_name_elsewhere_then_its_rows_are_in_one_file(
    engine: Engine, database: Database
) -> None:
    database.execute(
        *RUNS,
        "CREATE TABLE celery_taskmeta (id int)",
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.celery_taskmeta () INHERITS (public.celery_taskmeta)",
        "CREATE SCHEMA celery",
        "CREATE TABLE celery.celery_taskmeta (id int)",
        "INSERT INTO archive.celery_taskmeta VALUES (1)",
    )
    planned = '[{"table": "celery_taskmeta", "window": "date", "any_schema": true}]'
    tables = engine.export({}, EXPORT_TABLES=planned)["tables"]
    assert {name: each["rows"] for name, each in tables.items()} == {"celery_taskmeta": 1, "celery.celery_taskmeta": 0}


@pytest.mark.parametrize("name", ["log_old", "archive.log_older"])
def test_given_a_partition_that_is_excluded_then_its_rows_are_nowhere(
    engine: Engine, database: Database, name: str
) -> None:
    database.execute(
        *RUNS,
        "CREATE TABLE log (id int) PARTITION BY RANGE (id)",
        "CREATE SCHEMA archive",
        "CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE archive.log_older PARTITION OF log FOR VALUES FROM (10) TO (20)",
        "INSERT INTO log VALUES (1), (11)",
    )
    tables = engine.export({"log": "full"}, EXCLUDE_TABLES=f'["{name}"]')["tables"]
    assert {table: each["rows"] for table, each in tables.items()} == {"log": 1}


def test_given_a_partition_elsewhere_by_the_name_of_an_excluded_table_then_its_rows_stay(
    engine: Engine, database: Database
) -> None:
    database.execute(
        *RUNS,
        "CREATE TABLE job (id int)",
        "CREATE TABLE log (id int) PARTITION BY RANGE (id)",
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.job PARTITION OF log FOR VALUES FROM (0) TO (10)",
        "INSERT INTO log VALUES (1)",
    )
    tables = engine.export({"log": "full"}, EXCLUDE_TABLES='["job"]')["tables"]
    assert {table: each["rows"] for table, each in tables.items()} == {"log": 1}


def test_given_a_detach_that_was_cut_off_then_the_files_hold_what_a_select_sees(
    engine: Engine, database: Database
) -> None:
    # GIVEN a partition that is being detached, for nobody sees it in the table any more
    database.execute(
        *RUNS,
        "CREATE TABLE log (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE log_new PARTITION OF log FOR VALUES FROM (10) TO (20)",
        "INSERT INTO log VALUES (1), (11), (12)",
    )
    with database.connect() as reader, database.connect(options="-c statement_timeout=500") as other:
        reader.execute("BEGIN; SELECT FROM log")
        with suppress(psycopg.errors.QueryCanceled):
            other.execute("ALTER TABLE log DETACH PARTITION log_old CONCURRENTLY")
    assert database.rows("SELECT id FROM log ORDER BY id") == [(11,), (12,)]

    # WHEN everything is exported
    engine.export({"log": "full"}, CATALOGUED_TABLES='["dag_run", "log"]')

    # THEN its rows are in a file of their own, and the schema makes it a table of its own
    assert {name: rows_of(engine, name) for name in ("log", "log_old")} == {"log": ["11", "12"], "log_old": ["1"]}
    source = database.source()
    with releasing(source.connect()) as connection:
        source.begin(connection)
        entries = read_schema(connection).entries
    assert [entry.name for entry in entries if entry.kind == "partition"] == ["log_new"]


def rows_of(engine: Engine, table: str) -> list[str]:
    """The rows of a file, without its header, sorted."""
    lines = list(csv.reader(io.StringIO(gzip.decompress(engine.body(table)).decode())))
    return sorted(",".join(row) for row in lines[1:])
