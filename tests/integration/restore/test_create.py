"""`create`: an empty database becomes the exported one, or stays empty."""

import base64
import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from metadata_restore.create import _transaction, create, look_at_create
from metadata_restore.database import Address, Connection
from metadata_restore.errors import DamagedObjectError, RefusedError, TargetError, UncertainError
from metadata_restore.fill import Outcome, Watcher
from metadata_restore.options import Options
from metadata_restore.plan import PlannedSchema
from metadata_restore.workers import Workers

from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import (
    AS_EXPORTED,
    SCHEMA_KEY,
    Export,
    content,
    execute,
    export_of,
    query,
    with_schema,
)
from tests.integration.restore.lost_commits import losing_the_commit
from tests.schema_dumps import dumped_schema, run_psql, sequence_states

VERSION = "3.3.1"
HOSTILE = Path(__file__).parents[1] / "engine" / "hostile_schema.sql"
OBJECTS = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'
"""


def name_of(url: str) -> str:
    return unquote(urlsplit(url).path[1:])


@pytest.fixture
def empty(databases: Databases) -> Iterator[str]:
    """The URL of an empty database."""
    yield databases.server.create_database("empty one", template="template0")
    databases.server.drop_database("empty one")


@pytest.fixture(scope="module")
def aged(databases: Databases) -> tuple[str, Export]:
    """A database that Airflow has used, and its export."""
    url, _ = databases.aged(VERSION)
    return url, with_schema(export_of(url), url)


def made(export: Export, url: str, options: Options = AS_EXPORTED) -> Outcome:
    return create(Address(url), export, export.plan, options, None, Watcher(), jobs=2)


def test_the_database_is_the_exported_one(aged: tuple[str, Export], databases: Databases, empty: str) -> None:
    url, export = aged
    outcome = made(export, empty)
    assert sum(outcome.rows.values()) == export.plan.rows > 500
    assert content(empty) == content(url)
    server = databases.server
    assert dumped_schema(server, name_of(empty)) == dumped_schema(server, name_of(url))
    assert sequence_states(server, name_of(empty)) == sequence_states(server, name_of(url))
    # its rows were written frozen, and PostgreSQL knows how many there are
    [[visible, rows]] = query(empty, "SELECT relallvisible, reltuples FROM pg_class WHERE relname = 'task_instance'")
    assert visible > 0
    assert rows == export.plan.table("task_instance").rows  # type: ignore[union-attr]


def test_what_was_unfinished_is_settled(aged: tuple[str, Export], empty: str) -> None:
    outcome = made(aged[1], empty, Options())
    assert outcome.settled.failed
    unfinished = "SELECT count(*) FROM dag_run WHERE state NOT IN ('success', 'failed')"
    assert query(empty, unfinished) == [(0,)]
    assert query(empty, "SELECT count(*) FROM dag WHERE NOT is_paused") == [(0,)]


def test_hostile_names_types_and_kinds_come_back(databases: Databases, empty: str) -> None:
    server = databases.server
    source = server.create_database("hostile", template="template0")
    run_psql(server, "hostile", HOSTILE)
    execute(source, "ALTER TABLE plugcols ALTER COLUMN g DROP EXPRESSION")  # the engine leaves such columns out itself
    export = with_schema(export_of(source), source)
    # what is a part of another table has no file of its own
    parts = {"l1", "l1a"}
    export.plan = replace(export.plan, tables=tuple(t for t in export.plan.tables if t.name not in parts))

    made(export, empty)

    assert dumped_schema(server, name_of(empty)) == dumped_schema(server, "hostile")
    assert sequence_states(server, name_of(empty)) == sequence_states(server, "hostile")
    assert content(empty) == content(source)
    server.drop_database("hostile")


FAULTS = (
    "a cut object", "an object that is not there", "a row without a parent", "Ctrl-C",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_create_that_fails_leaves_the_database_empty(
    aged: tuple[str, Export], empty: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = Export(aged[1].plan, dict(aged[1].objects))
    before = query(empty, OBJECTS)
    watcher = Watcher()
    expected: type[BaseException] = DamagedObjectError
    if fault == "a cut object":
        key = export.plan.table("xcom").key  # type: ignore[union-attr]
        export.objects[key] = export.objects[key][:-1] + b"x"
    elif fault == "an object that is not there":
        del export.objects[export.plan.table("xcom").key]  # type: ignore[union-attr]
    elif fault == "a row without a parent":
        expected = TargetError
        export.plan = replace(export.plan, tables=tuple(t for t in export.plan.tables if t.name != "dag_run"))
    else:
        expected = KeyboardInterrupt
        monkeypatch.setattr("metadata_restore.create.settle", interrupt)

    with pytest.raises(expected):
        create(Address(empty), export, export.plan, AS_EXPORTED, None, watcher)
    assert query(empty, OBJECTS) == before


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


TABLE, LAST = b'COPY "public"."variable"', b'INSERT INTO "public"."alembic_version"'


@pytest.mark.parametrize("arrives", [True, False], ids=["after the server has it", "before the server has it"])
@pytest.mark.parametrize("commit", [b"", TABLE, LAST], ids=["the first", "a table's", "the last"])
def test_a_create_that_loses_a_commit_leaves_the_database_empty_or_complete(
    aged: tuple[str, Export], empty: str, commit: bytes, arrives: bool
) -> None:
    before = query(empty, OBJECTS)
    with losing_the_commit(empty, arrives, after=commit) as url:
        if commit == LAST and arrives:
            assert sum(made(aged[1], url).rows.values()) == aged[1].plan.rows
        else:
            with pytest.raises(TargetError):
                made(aged[1], url)
    if commit == LAST and arrives:
        assert content(empty) == content(aged[0])
    else:
        assert query(empty, OBJECTS) == before


def test_a_create_that_loses_a_commit_takes_away_no_table_that_somebody_made_meanwhile(
    aged: tuple[str, Export], empty: str
) -> None:
    def another() -> None:
        execute(empty, "CREATE TABLE variable (mine int)", "INSERT INTO variable VALUES (7)")

    with (
        losing_the_commit(empty, arrives=False, after=TABLE, meanwhile=another) as url,
        pytest.raises(TargetError, match="Could not commit"),
    ):
        made(aged[1], url)
    assert query(empty, "SELECT mine FROM variable") == [(7,)]
    assert query(empty, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("variable",)]


def test_a_create_of_which_the_server_does_not_say_what_became_of_it_says_so(
    aged: tuple[str, Export], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metadata_restore.undo.is_committed", lambda *_: None)
    with (
        losing_the_commit(empty, arrives=True, after=TABLE) as url,
        pytest.raises(UncertainError, match=r"still there, .*does not say what became of its transaction \d+\)"),
    ):
        made(aged[1], url)


def test_a_create_that_learns_only_when_it_is_undone_that_the_last_commit_was_lost_is_empty_and_says_so(
    aged: tuple[str, Export], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = query(empty, OBJECTS)
    monkeypatch.setattr("metadata_restore.commit.is_committed", lambda *_: None)
    with (
        losing_the_commit(empty, arrives=True, after=LAST) as url,
        pytest.raises(TargetError, match="lost at the last commit, and all was dropped again") as caught,
    ):
        made(aged[1], url)
    assert not isinstance(caught.value, UncertainError)
    assert query(empty, OBJECTS) == before


@pytest.mark.parametrize(("own", "used"), [("1MB", "as the buffers"), ("1GB", "1GB")])
def test_indexes_are_made_in_as_much_memory_as_the_buffers_have_and_in_no_less_than_before(
    empty: str, own: str, used: str
) -> None:
    execute(empty, f"ALTER DATABASE \"empty one\" SET maintenance_work_mem = '{own}'")
    [(buffers,)] = query(empty, "SELECT current_setting('shared_buffers')")
    address = Address(empty)
    with address.connected() as connection, _transaction(connection):
        [(memory,)] = connection.execute("SELECT current_setting('maintenance_work_mem')").fetchall()
    assert memory == {"as the buffers": buffers, "1GB": "1GB"}[used]


def test_a_role_whose_idle_sessions_are_ended_creates_all_the_same(
    aged: tuple[str, Export], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metadata_restore.workers.IDLE_SECONDS", 0)
    execute(empty, "ALTER DATABASE \"empty one\" SET idle_session_timeout = '3s'")
    begun: list[str] = []

    def slow(table: str) -> None:
        if not begun:
            begun.append(table)
            time.sleep(5)

    outcome = create(Address(empty), aged[1], aged[1].plan, AS_EXPORTED, None, Watcher(table=slow))

    assert sum(outcome.rows.values()) == aged[1].plan.rows


def test_a_role_whose_idle_sessions_are_ended_has_an_empty_database_again_when_it_fails(
    aged: tuple[str, Export], empty: str
) -> None:
    before = query(empty, OBJECTS)
    execute(empty, "ALTER DATABASE \"empty one\" SET idle_session_timeout = '1s'")

    def slow(table: str) -> None:
        time.sleep(2)
        raise DamagedObjectError("it is gone")

    with pytest.raises(DamagedObjectError):
        create(Address(empty), aged[1], aged[1].plan, AS_EXPORTED, None, Watcher(table=slow))
    assert query(empty, OBJECTS) == before


def test_another_interrupt_while_it_is_undone_is_told_for_what_it_is(
    aged: tuple[str, Export], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metadata_restore.create.settle", interrupt)
    monkeypatch.setattr("metadata_restore.undo._drop", interrupt)
    with pytest.raises(UncertainError, match=r"still there, since it could not be dropped \(interrupted\)\. Drop"):
        made(aged[1], empty)


def test_what_begins_after_a_failure_is_cut_short_and_waited_for(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started, pressed, ended = threading.Event(), list[str](), list[float]()
    cut_short = Workers._cut_short

    def slow(connection: Connection) -> tuple[()]:
        started.set()
        time.sleep(0.5)  # it is between two statements
        begun = time.monotonic()
        try:
            connection.execute("SELECT pg_sleep(30)")
        finally:
            ended.append(time.monotonic() - begun)
        return ()

    def failing(connection: Connection) -> tuple[()]:
        started.wait()
        raise TargetError("the disk is full")

    def pressing_once_more(workers: Workers) -> None:
        if not pressed:
            pressed.append("Ctrl-C")
            raise KeyboardInterrupt
        cut_short(workers)

    monkeypatch.setattr(Workers, "_cut_short", pressing_once_more)
    with pytest.raises(TargetError, match="the disk is full"), Workers(Address(empty), 2) as workers:
        workers.run([slow, failing])
    assert pressed
    assert ended[0] < 15


def test_another_one_at_the_same_time_fails_and_takes_nothing_away(
    aged: tuple[str, Export], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[str] = []

    def another(table: str) -> None:
        if not others:
            others.append(table)
            # it looks before the first one has committed anything, and comes too late all the same
            monkeypatch.setattr("metadata_restore.create.create_refusals", lambda *_: ())
            with pytest.raises(TargetError, match="already exists"):
                made(aged[1], empty)

    create(Address(empty), aged[1], aged[1].plan, AS_EXPORTED, None, Watcher(table=another), jobs=1)
    assert others
    assert content(empty) == content(aged[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": None}, r"The export carries no schema .*airflow db migrate.*--mode fill"),
        ({"whole": False}, "leave out --table"),
    ],
)
def test_what_cannot_be_created_is_refused(
    aged: tuple[str, Export], empty: str, change: dict[str, object], said: str
) -> None:
    plan = replace(aged[1].plan, **change)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match=said):
        create(Address(empty), aged[1], plan, AS_EXPORTED, None, Watcher())


def with_body(export: Export, body: bytes, *, recorded: bool) -> Export:
    """The export with another schema file; `recorded`: as if it had been exported so."""
    assert export.plan.schema is not None
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    written = PlannedSchema(SCHEMA_KEY, len(body), checksum) if recorded else export.plan.schema
    return Export(replace(export.plan, schema=written), export.objects | {SCHEMA_KEY: body})


@pytest.mark.parametrize(
    ("damage", "recorded", "said"),
    [
        (lambda body: body[:-1], False, "bytes and the SHA-256"),
        (lambda body: body[:99] + bytes([body[99] ^ 1]) + body[100:], False, "bytes and the SHA-256"),
        (lambda body: body[:-9], True, "no file of a schema"),
        (lambda body: b"no gzip", True, "no file of a schema: Not a gzipped file"),
        (lambda body: gzip.compress(b""), True, "no file of a schema: it has no entry"),
        (lambda body: gzip.compress(gzip.decompress(body)[:-99]), True, "no file of a schema: it is cut or changed"),
    ],
    ids=["cut", "one bit", "cut when it was written", "no gzip", "empty", "an entry cut"],
)
def test_a_damaged_schema_file_is_named_and_the_database_stays_empty(
    aged: tuple[str, Export], empty: str, damage: Callable[[bytes], bytes], recorded: bool, said: str
) -> None:
    before = query(empty, OBJECTS)
    export = with_body(aged[1], damage(aged[1].objects[SCHEMA_KEY]), recorded=recorded)

    with pytest.raises(DamagedObjectError, match=f"{SCHEMA_KEY} .*{said}"):
        made(export, empty)

    assert query(empty, OBJECTS) == before


def test_a_schema_file_that_is_gone_is_named_and_the_database_stays_empty(aged: tuple[str, Export], empty: str) -> None:
    before = query(empty, OBJECTS)
    objects = {key: body for key, body in aged[1].objects.items() if key != SCHEMA_KEY}

    with pytest.raises(DamagedObjectError, match=f"{SCHEMA_KEY} does not exist"):
        made(Export(aged[1].plan, objects), empty)

    assert query(empty, OBJECTS) == before


def test_a_schema_that_the_server_refuses_is_told_and_the_database_stays_empty(
    aged: tuple[str, Export], empty: str
) -> None:
    before = query(empty, OBJECTS)
    text = gzip.decompress(aged[1].objects[SCHEMA_KEY])
    assert text.count(b" jsonb") > 1
    export = with_body(aged[1], gzip.compress(text.replace(b" jsonb", b" jsonx")), recorded=True)

    with pytest.raises(TargetError, match=r'Could not make the table .*"jsonx" does not exist'):
        made(export, empty)

    assert query(empty, OBJECTS) == before


def test_a_database_that_has_tables_is_refused_and_stays(aged: tuple[str, Export], empty: str) -> None:
    execute(empty, "CREATE TABLE dag_run (id int)", "INSERT INTO dag_run VALUES (7)")
    found = look_at_create(Address(empty), aged[1].plan, Options(replace=True))
    assert [reason.partition(" ")[0] for reason in found.refusals] == ["The", "--replace"]
    with pytest.raises(RefusedError, match=r"has 1 tables \(dag_run\)"):
        made(aged[1], empty)
    assert query(empty, "SELECT id FROM dag_run") == [(7,)]
