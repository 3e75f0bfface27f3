"""What goes wrong on the way: the target is as it was, or complete, and never between."""

import base64
import gzip
import hashlib
import re
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from cryptography.fernet import Fernet
from metadata_restore.create import look_at_create
from metadata_restore.database import Address
from metadata_restore.errors import (
    DamagedObjectError,
    FernetKeyError,
    ObjectsUnavailableError,
    RefusedError,
    RestoreError,
    TargetError,
    UncertainError,
)
from metadata_restore.fill import Examination, Watcher, look_at_fill
from metadata_restore.keys import make_keys
from metadata_restore.plan import Column, PlannedTable
from psycopg import sql

from local import postgres
from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import AS_EXPORTED, Export, content, encrypt, execute, export_of, query
from tests.integration.restore.lost_commits import losing_the_commit

VERSION = "3.3.1"
LATE = "xcom"  # most tables are loaded by then
KEY = f"exports/{LATE}.csv.gz"
JOB = (
    "INSERT INTO job (id, job_type, state, hostname, latest_heartbeat) "
    "VALUES ({}, 'SchedulerJob', 'running', 'here', now() - interval '{} s')"
)
TRIGGER = (
    "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
    "CREATE TRIGGER skip BEFORE INSERT ON variable FOR EACH ROW EXECUTE FUNCTION skip()"
)


@pytest.fixture(scope="module")
def exported(databases: Databases) -> Export:
    source, _ = databases.aged(VERSION)
    encrypt(source, Fernet.generate_key().decode())
    return export_of(source)


@pytest.fixture
def export(exported: Export) -> Export:
    """One of its own for each test."""
    return Export(exported.plan, dict(exported.objects))


@pytest.fixture
def target(databases: Databases) -> str:
    return databases.empty(VERSION)


def at(table: str, action: Callable[[], Any]) -> Watcher:
    """Do something when a table begins."""
    return Watcher(table=lambda name: action() if name == table else None)


def terminate(url: str) -> None:
    """End the restore's connection, as a server that goes down does."""
    execute(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%restore' "
                 "AND datname = current_database()")  # fmt: skip


def interrupt() -> None:
    raise KeyboardInterrupt


def rezipped(change: Callable[[bytes], bytes]) -> Callable[[Export], None]:
    """Change what is in the object, and its checksum with it: as if it had been exported so."""

    def damage(export: Export) -> None:
        body = gzip.compress(change(gzip.decompress(export.objects[KEY])))
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        export.objects[KEY] = body
        made = {"object_bytes": len(body), "checksum_sha256": digest, "part_sizes": (len(body),)}
        tables = (replace(each, **made) if each.name == LATE else each for each in export.plan.tables)
        export.plan = replace(export.plan, tables=tuple(tables))

    return damage


def altered(change: Callable[[bytes], bytes]) -> Callable[[Export], None]:
    def damage(export: Export) -> None:
        export.objects[KEY] = change(export.objects[KEY])

    return damage


def of_same_size(body: bytes) -> bytes:
    """Return another gzip of the same number of bytes: what is in it differs."""
    place = gzip.decompress(body).index(b"\n") + 20
    changed = bytearray(gzip.decompress(body))
    changed[place] ^= 1
    return (gzip.compress(bytes(changed), 1) + gzip.compress(b"", 0) * 100)[: len(body)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda export: export.objects.pop(KEY), "does not exist"),
        (altered(lambda body: body[:-1]), "bytes, the export says"),
        (altered(lambda body: body + b"\0"), "bytes, the export says"),
        (altered(lambda body: body[:200] + bytes([body[200] ^ 255]) + body[201:]), "not readable as gzip|SHA-256"),
        (altered(lambda body: b"x" * len(body)), "not readable as gzip"),
        (altered(of_same_size), "not readable as gzip|SHA-256"),
        (altered(lambda body: body[: len(body) // 2] + bytes(len(body) - len(body) // 2)), "not readable as gzip"),
        (rezipped(lambda text: text[: text.rindex(b"\n", 0, -1) + 1]), "rows, the export says"),
        (rezipped(lambda text: text[text.index(b"\n") + 1 :]), "does not begin with the names of its columns"),
        (rezipped(lambda text: text.replace(b"dag_id", b"dag_xx", 1)), "does not begin with the names"),
        (rezipped(lambda text: b""), "does not begin with the names"),
    ],
    ids=["missing", "cut", "longer", "one bit", "no gzip", "other content", "half", "row lost", "no header", "header",
         "empty"],
)  # fmt: skip
def test_given_a_damaged_object_when_restored_then_it_is_named_and_the_target_as_it_was(
    damage: Callable[[Export], None], said: str, export: Export, target: str
) -> None:
    before = content(target)
    damage(export)

    with pytest.raises(DamagedObjectError, match=rf"{KEY} .*({said})"):
        export.restore(target)

    assert content(target) == before


@pytest.mark.parametrize(
    ("action", "error", "said"),
    [
        (terminate, TargetError, "Could not load the table"),
        (lambda url: interrupt(), KeyboardInterrupt, None),
        (lambda url: (_ for _ in ()).throw(ObjectsUnavailableError("slow down")), ObjectsUnavailableError, "slow down"),
    ],
    ids=["connection lost", "Ctrl-C", "objects cannot be read"],
)
def test_given_an_end_in_the_middle_when_restored_then_the_target_is_as_it_was(
    action: Callable[[str], Any], error: type[BaseException], said: str | None, export: Export, target: str
) -> None:
    before = content(target)

    with pytest.raises(error, match=said):
        export.restore(target, watcher=at(LATE, lambda: action(target)))

    assert content(target) == before
    export.restore(target)  # and nothing is left that would stand in the way


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE variable ADD CHECK (val <> 'plain' AND key IS NULL)", ".*check constraint"),
        ("ALTER TABLE variable ALTER val TYPE int USING NULL", r"invalid .* integer: \.\.\. .*column val"),
    ],
    ids=["the row in the detail", "the value in the message"],
)
def test_given_a_value_that_the_target_refuses_when_restored_then_the_error_does_not_show_the_row(
    change: str, said: str, export: Export, target: str
) -> None:
    execute(target, change)
    before = content(target)

    with pytest.raises(TargetError, match=f"Could not load the table variable: {said}") as caught:
        export.restore(target)

    assert "gAAAA" not in "".join(traceback.format_exception(caught.value))  # as a Glue run logs it
    assert "\n" not in str(caught.value)
    assert content(target) == before


def test_given_a_key_that_does_not_fit_when_restored_then_no_table_was_even_locked(export: Export, target: str) -> None:
    other = Fernet.generate_key().decode()
    with psycopg.connect(target) as reader:
        reader.execute("LOCK TABLE dag IN ACCESS SHARE MODE")
        with pytest.raises(FernetKeyError, match="does not decrypt"):
            export.restore(target, keys=make_keys(other, other))


def test_given_two_restores_at_the_same_time_then_one_is_complete_and_the_other_changed_nothing(
    export: Export, target: str, databases: Databases
) -> None:
    alone = databases.empty(VERSION)
    export.restore(alone)

    def attempt(_: int) -> RestoreError | None:
        try:
            export.restore(target)
        except RestoreError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        refused, none = sorted(pool.map(attempt, range(2)), key=lambda error: error is None)

    assert (type(refused), none) == (RefusedError, None)
    assert content(target) == content(alone)


def test_given_a_lock_that_is_never_granted_when_restored_then_it_gives_up_and_the_target_is_as_it_was(
    export: Export, target: str
) -> None:
    before = content(target)
    waited: list[float] = []
    with psycopg.connect(target) as other:
        other.execute("SELECT count(*) FROM dag")
        with pytest.raises(TargetError, match=r'within 1 s: .*relation "public.dag"'):
            export.restore(target, replace(AS_EXPORTED, lock_seconds=1), watcher=Watcher(waiting=waited.append))
    assert waited
    assert content(target) == before


def test_given_a_target_that_changes_before_it_is_locked_when_restored_then_it_is_refused(
    export: Export, target: str
) -> None:
    with psycopg.connect(target) as other:
        other.execute("INSERT INTO variable (key, val, is_encrypted) VALUES ('k', 'v', false)")
        with pytest.raises(RefusedError, match=r"have rows: variable \(1\)"):
            export.restore(target, watcher=Watcher(waiting=lambda seconds: other.commit()))
    assert query(target, "SELECT key FROM variable") == [("k",)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE alembic_version SET version_num = 'older'", "alembic_version is older, the export has"),
        ("DELETE FROM alembic_version", "alembic_version is not there"),
        ("INSERT INTO dag_bundle (name) VALUES ('x')", r"have rows: dag_bundle \(1\)\. --replace"),
        ("ALTER TABLE xcom DROP COLUMN value", "xcom has no column value"),
        ("ALTER TABLE xcom ADD mine int NOT NULL", "xcom demands mine"),
        (JOB.format(1, 30), r"Airflow is running on the target: SchedulerJob on here \(3\d s ago\)"),
        (TRIGGER, r"The target's table variable has the trigger skip, .*DISABLE TRIGGER"),
    ],
    ids=["another version", "no version", "rows", "column gone", "column demanded", "Airflow runs", "a trigger"],
)
def test_given_a_target_that_does_not_fit_when_restored_then_the_reason_is_told_and_nothing_changed(
    change: str, said: str, export: Export, target: str
) -> None:
    execute(target, change)
    before = content(target)

    with pytest.raises(RefusedError, match=said):
        export.restore(target)

    assert content(target) == before


@pytest.mark.parametrize("begin", [look_at_fill, look_at_create], ids=["fill", "create"])
def test_given_a_target_that_lets_nothing_be_written_when_looked_at_then_it_is_told(
    begin: Callable[..., Examination], export: Export, databases: Databases
) -> None:
    url = databases.empty("3.3.1")
    name = sql.Identifier(unquote(urlsplit(url).path[1:]))
    with psycopg.connect(databases.server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))

    refusals = begin(Address(url), export.plan, AS_EXPORTED).refusals

    assert any(re.search("lets nothing be written: default_transaction_read_only is on", each) for each in refusals)


def test_given_a_database_without_tables_when_restored_then_it_is_refused(export: Export, databases: Databases) -> None:
    url = databases.server.create_database("without_tables")
    with pytest.raises(RefusedError, match=r"has no tables\. Let Airflow 3\.3\.1 make them first"):
        export.restore(url)


def test_given_columns_beyond_the_export_that_need_no_value_when_restored_then_they_do_not_disturb(
    export: Export, target: str
) -> None:
    execute(
        target,
        "ALTER TABLE xcom ADD mine int, ADD other int NOT NULL DEFAULT 7, ADD twice int GENERATED ALWAYS AS (8) STORED",
    )
    export.restore(target)
    assert query(target, "SELECT DISTINCT mine, other, twice FROM xcom") == [(None, 7, 8)]


def test_given_a_running_airflow_when_restored_beside_it_then_its_jobs_stay(export: Export, target: str) -> None:
    # GIVEN rows, a scheduler that runs under a number that a job of the export has, and one that has ended
    export.restore(target)
    [(taken,)] = query(target, "SELECT min(id) FROM job")
    execute(target, "DELETE FROM job", JOB.format(taken, 5), JOB.format(999, 500))

    # WHEN
    beside = replace(AS_EXPORTED, while_running=True, replace=True)
    outcome = export.restore(target, beside)

    # THEN
    planned = export.plan.table("job")
    assert planned is not None
    assert query(target, "SELECT id, hostname FROM job WHERE hostname = 'here'") == [(taken, "here")]
    assert query(target, "SELECT count(*) FROM job") == [(planned.rows,)]
    assert outcome.rows["job"] == planned.rows - 1
    assert outcome.notes == ("1 rows of job were left out: running components have their numbers",)
    assert query(target, "SELECT bool_and(last_parsed_time > now() - interval '1 min') FROM dag") == [(True,)]
    assert query(target, "SELECT nextval('job_id_seq') > max(id) FROM job") == [(True,)]


@pytest.mark.parametrize("arrives", [True, False], ids=["after the server has it", "before the server has it"])
def test_given_a_connection_that_is_lost_at_the_commit_when_restored_then_it_says_what_became_of_it(
    arrives: bool, export: Export, target: str, databases: Databases
) -> None:
    before, alone = content(target), databases.empty(VERSION)
    export.restore(alone)

    with losing_the_commit(target, arrives) as url:
        if arrives:
            export.restore(url)
        else:
            with pytest.raises(TargetError, match="nothing of it was kept: try again"):
                export.restore(url)

    assert content(target) == (content(alone) if arrives else before)


@pytest.mark.parametrize("interrupted", [False, True], ids=["by itself", "and Ctrl-C while it is asked"])
def test_given_a_server_that_is_gone_after_the_commit_when_restored_then_it_says_that_it_does_not_know(
    interrupted: bool, export: Export, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, opened = Address.connect, list[str]()

    def once(address: Address) -> Any:
        opened.append("connection")
        return interrupt() if interrupted and len(opened) > 1 else connect(address)

    monkeypatch.setattr(Address, "connect", once)
    with (
        losing_the_commit(target, arrives=True, connections=1) as url,
        pytest.raises(UncertainError, match="pg_xact_status"),
    ):
        export.restore(url)


def test_given_recorded_sequences_when_restored_then_they_go_on_as_recorded_and_one_that_is_used_up_is_told(
    export: Export, target: str
) -> None:
    execute(target, "CREATE SEQUENCE of_nothing", "CREATE SEQUENCE full_one MAXVALUE 5 CYCLE")
    recorded = {"ab_user_id_seq": 4711, "of_nothing": 12, "full_one": 6, "gone": 3}

    outcome = export.restore(target, sequences=recorded)

    names = ("ab_user_id_seq", "of_nothing", "full_one")
    assert [query(target, f"SELECT nextval('{name}')")[0][0] for name in names] == [4711, 12, 5]
    # AND one that is not recorded goes on after what is taken
    assert query(target, "SELECT nextval('log_id_seq') - max(id) FROM log") == [(1,)]
    assert outcome.notes == ("the sequence full_one has no number left (the next would be 6)",)


NAMES = ["a,b", 'say "x"', "line\nbreak", "Ümläut", "select", "\\."]
VALUES = ["", None, "\\.", "\n\\.\n", "\r", '"', "NULL", ",", "a\r\nb", " x ", "ü"]


@pytest.mark.parametrize("server_version", [16, 18])
def test_given_names_and_values_of_any_kind_when_restored_then_every_byte_is_there(server_version: int) -> None:
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in NAMES)
    hostile = sql.SQL('CREATE TABLE "Of ""Any"" Kind" ({})').format(columns).as_string()
    tables = (
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('x')",
        hostile,
        "CREATE TABLE one (value text)",
        "CREATE TABLE typed (id int GENERATED ALWAYS AS IDENTITY, b bytea, j json, t timestamptz, f real, a text[])",
        "CREATE TABLE parted (k int, v text) PARTITION BY LIST (k)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)",
        "CREATE TABLE parted_rest PARTITION OF parted DEFAULT",
    )
    with postgres.temporary_server(password="x", version=server_version) as server:
        source, target = server.create_database("source"), server.create_database("target")
        execute(source, *tables)
        execute(target, *tables)
        with psycopg.connect(source) as connection:
            for value in VALUES:
                connection.execute("INSERT INTO one VALUES (%s)", [value])
                connection.execute('INSERT INTO "Of ""Any"" Kind" VALUES (%s, %s, %s, %s, %s, %s)', [value] * 6)
        execute(
            source,
            r"INSERT INTO typed (b, j, t, f, a) SELECT '\x00ff', E'{\"a\":\n null}', '-infinity', 'NaN', "
            "'{a,NULL,\",\"}' FROM generate_series(1, 10)",
            "INSERT INTO parted SELECT n % 3, n FROM generate_series(1, 100) n",
        )
        export = export_of(source)
        whole = tuple(table for table in export.plan.tables if not table.name.startswith("parted_"))
        assert len(whole) == 4

        export.restore(target, tables=whole)

        assert content(target) | {"": []} == content(source) | {"": []}
        assert query(target, "INSERT INTO typed DEFAULT VALUES RETURNING id") == [(11,)]


def test_given_tables_that_the_target_lacks_when_all_are_restored_then_they_are_told_and_when_named_refused(
    export: Export, target: str
) -> None:
    celery = PlannedTable("celery.taskmeta", "none", 0, 0, 0, "", (), (Column("id", "integer"),))
    export.objects["none"] = b""

    outcome = export.restore(target, tables=(*export.plan.tables, celery))
    assert "celery.taskmeta" not in outcome.rows

    with pytest.raises(RefusedError, match=r"no table celery\.taskmeta: leave it out"):
        export.restore(target, replace(AS_EXPORTED, replace=True), tables=(celery,), whole=False)
