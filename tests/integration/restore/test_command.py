"""The command `restore`, from a bucket into a real database."""

import csv
import gzip
import io
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import click
import psycopg
import pytest
from cryptography.fernet import Fernet
from export_contracts import exported_table
from export_contracts.exported_schema import ExportedSchema
from export_contracts.layout import Layout, started_at
from export_contracts.proof import Proof
from metadata_restore.refusals import MADE_BY_AIRFLOW
from moto import mock_aws

from export_cli import __main__ as cli
from tests.documents import stored, summary
from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import (
    EXPORT_ID,
    PASSWORD,
    Export,
    content,
    encrypt,
    execute,
    export_of,
    numbered,
    query,
    with_schema,
)

BUCKET = "prod-exports"
DOCUMENT = (Path(__file__).parents[3] / "docs" / "restore.md").read_text()
LAYOUT = Layout(BUCKET, "exports", "prod")
VIEW = "view public.reports"  # what the exported database has, and the export does not carry
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@dataclass(frozen=True)
class Command:
    """Runs `restore` for the export in the bucket."""

    capture: pytest.CaptureFixture[str]
    target: str

    def run(self, command: str) -> tuple[int, str]:
        """Run a command of the document, for this export and this target."""
        program, name, *words = shlex.split(command.partition(" | ")[0])
        meant = {"latest": EXPORT_ID, "...": self.target}
        given = [self.target if word.startswith("postgresql://") else meant.get(word, word) for word in words]
        assert program == "mwaa-metadata-export"
        code = cli.main([name, *given, "--environment", "prod", "--bucket", BUCKET])
        captured = self.capture.readouterr()
        return code, captured.out + captured.err

    def __call__(self, *arguments: str, to: str | None = None) -> tuple[int, str, str]:
        where = ["--environment", "prod", "--bucket", BUCKET, "--to", to or self.target]
        code = cli.main(["restore", EXPORT_ID, *where, *arguments])
        captured = self.capture.readouterr()
        assert PASSWORD not in captured.out + captured.err
        assert urlsplit(self.target).password not in captured.out + captured.err
        return code, captured.out, captured.err


@pytest.fixture(scope="module")
def exported(databases: Databases) -> Export:
    """An environment with aged data, whose values are encrypted with OLD."""
    source, _ = databases.aged("3.3.1")
    encrypt(source, OLD)
    return with_schema(export_of(numbered(source)), source)


@pytest.fixture
def bucket(exported: Export, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("COLUMNS", "200")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key, body in exported.objects.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        details = {table.name: _exported(table) for table in exported.plan.tables}
        heads = dict(exported.plan.alembic_heads)
        schema = exported.plan.schema
        assert schema
        held = ExportedSchema(schema.key, 1, schema.object_bytes, schema.checksum_sha256, {}, (VIEW,))
        document = summary(details=details, alembic_heads=heads, airflow_version="3.3.1", schema=held)
        key = LAYOUT.summary_key(started_at(EXPORT_ID))
        s3.put_object(Bucket=BUCKET, Key=key, Body=stored(document))
        yield s3


@pytest.fixture
def restore(bucket: Any, databases: Databases, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys, databases.empty("3.3.1"))


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[[str], str]:
    def write(key: str) -> str:
        file = tmp_path / key[:8]
        file.write_text(f"{key}\n")
        return f"file:{file}"

    return write


def test_given_an_export_and_both_keys_when_restored_then_everything_is_there_and_encrypted_anew(
    restore: Command, exported: Export, key_file: Callable[[str], str]
) -> None:
    code, out, err = restore("--yes", "--old-fernet-key", key_file(OLD), "--fernet-key", key_file(NEW))

    assert (code, err) == (0, "")
    assert f"restored {len(exported.plan.tables)} tables" in out
    assert "Fernet key: " not in out
    with psycopg.connect(restore.target) as connection:
        [[values]] = connection.execute("SELECT array_agg(val) FROM variable WHERE is_encrypted").fetchall()
        [[active]] = connection.execute("SELECT count(*) FROM dag WHERE NOT is_paused").fetchall()
    assert {Fernet(NEW).decrypt(value) for value in values} == {b"plain"}
    assert active == 0


def test_given_mode_create_when_restored_then_an_empty_database_is_the_exported_one(
    bucket: Any, exported: Export, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    target = databases.server.create_database("to be created", template="template0")
    filled = databases.empty("3.3.1")
    command = Command(capsys, target)
    refused, out, _ = command("--mode", "create", "--yes", "--table", "dag")
    assert (refused, "leave out --table" in out) == (1, True)

    code, out, err = command("--mode", "create", "--jobs", "3", "--yes", "--as-exported", "--unfinished", "keep")

    assert (code, err) == (0, "")
    assert "with 3 connections" in out
    assert f"{VIEW} is left out: an export does not carry it" in out
    # the sequences apart, whose numbers a fill reckons
    as_exported = ["--yes", "--as-exported", "--unfinished", "keep"]
    assert Command(capsys, filled)(*as_exported)[0] == 0
    assert content(target) | {"": []} == content(filled) | {"": []}
    databases.server.drop_database("to be created")


def test_given_a_dry_run_when_ended_then_the_plan_was_shown_and_nothing_changed(restore: Command) -> None:
    before = content(restore.target)

    code, out, _ = restore("--dry-run", "--json")

    plan = json.loads(out)
    assert (code, plan["refusals"], plan["restored"]) == (0, [], None)
    assert {"dag", "task_instance"} < {table["table"] for table in plan["tables"]}
    assert {"log_template", "slot_pool"} <= plan["overwrites"].keys() <= MADE_BY_AIRFLOW
    assert content(restore.target) == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "--yes"),
        (["--yes", "--table", "nonsense"], 1, "no table nonsense"),
        (["--yes", "--fernet-key", "c2VjcmV0"], 2, "never the key itself"),
        (["--yes", "--old-fernet-key", "{new}", "--fernet-key", "{new}"], 2, "does not decrypt"),
        (["--yes", "--fernet-key", "{new}"], 2, "target's Fernet key does not decrypt"),
        (["--yes", "--old-fernet-key", "{old}"], 2, "give the target's too"),
        (["--yes", "--fernet-key", "file:/nowhere/key"], 5, "/nowhere/key"),
        (["--yes", "--fernet-key", "secretsmanager:none"], 3, "the secret none"),
    ],
)
def test_given_what_cannot_be_when_restored_then_one_line_says_so_and_nothing_changed(
    arguments: list[str], code: int, said: str, restore: Command, key_file: Callable[[str], str]
) -> None:
    before = content(restore.target)
    given = [{"{old}": key_file(OLD), "{new}": key_file(NEW)}.get(each, each) for each in arguments]

    found, _, err = restore(*given)

    assert (found, said in err, err.count("\n")) == (code, True, 1), err
    assert content(restore.target) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("postgresql:", "nonsense:"), "no address of a database"),
        (lambda url: url.replace(urlsplit(url).password or "", "pa@ss"), "no address of a database"),
        (lambda url: url.replace(urlsplit(url).password or "", "pa/ss"), "no address of a database"),
        (lambda url: url.replace(f":{urlsplit(url).port}/", ":1/"), "Could not connect"),
        (lambda url: url.replace(urlsplit(url).path, "/none"), 'database "none" does not exist'),
    ],
    ids=["no URL", "a password that is not encoded", "nor this one", "no server", "no database"],
)
def test_given_no_such_target_when_restored_then_the_error_says_so_without_the_password(
    change: Callable[[str], str], said: str, restore: Command
) -> None:
    code, _, err = restore("--yes", to=change(restore.target))
    assert (code, said in err) == (6, True), err


def test_given_a_password_in_the_environment_when_restored_then_it_is_taken(
    restore: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(restore.target)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)

    code, out, _ = restore("--yes", "--json", to=f"postgresql://postgres@{parts.hostname}:{parts.port}{parts.path}")

    assert code == 0
    restored = json.loads(out)["restored"]
    assert restored["rows"]["dag"] > 0
    assert restored["encrypted"]["variable"] > 0


def prove(capture: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = cli.main(["prove", EXPORT_ID, "--environment", "prod", "--bucket", BUCKET, *arguments])
    captured = capture.readouterr()
    return code, captured.out + captured.err


def test_given_an_export_when_proven_then_the_proof_is_shown_and_kept(
    bucket: Any, exported: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = prove(capsys, "--record")

    assert code == 0, said
    assert f"export {EXPORT_ID} restores: {len(exported.plan.tables)} tables" in said
    assert f"not in the restored database, for an export does not carry it: {VIEW}" in said
    body = bucket.get_object(Bucket=BUCKET, Key=LAYOUT.proof_key(EXPORT_ID))["Body"].read()
    assert Proof.from_bytes(body).contents == len(exported.plan.tables)


def test_given_an_object_with_a_changed_byte_when_proven_then_it_is_named_and_nothing_is_kept(
    bucket: Any, exported: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    body = exported.objects["exports/log.csv.gz"]
    bucket.put_object(Bucket=BUCKET, Key="exports/log.csv.gz", Body=body[:-9] + bytes([body[-9] ^ 1]) + body[-8:])

    code, said = prove(capsys, "--json")

    [problem] = json.loads(said)["problems"]
    assert (code, "exports/log.csv.gz" in problem) == (1, True), problem
    assert bucket.list_objects_v2(Bucket=BUCKET, Prefix="exports/prod-backups/_proofs/")["KeyCount"] == 0


@pytest.mark.parametrize("story", ["Look something up", "Move to a new environment", "The worst day"])
def test_given_a_story_of_the_document_when_its_restore_is_run_then_everything_is_there(
    story: str, restore: Command, exported: Export, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN the keys where the story has them, an empty database where it makes one, and nonsense on the worst day
    section = DOCUMENT.partition(f"### {story}\n")[2].partition("\n#")[0]
    commands = re.findall(r"^mwaa-metadata-export .*", section, re.M)
    [command] = [each for each in commands if " restore " in each and "--json" not in each]
    secret = json.dumps({"FernetKey": NEW})
    boto3.client("secretsmanager").create_secret(Name="new-airflow/fernet-key", SecretString=secret)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: OLD)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    if "--mode create" in command:
        restore = replace(restore, target=databases.server.create_database("lookup"))
    if "--replace" in command:
        execute(restore.target, "INSERT INTO variable (key, val, is_encrypted) VALUES ('nonsense', '', false)")

    # WHEN
    code, said = restore.run(command)

    # THEN
    assert code == 0, said
    assert f"restored {len(exported.plan.tables)} tables" in said
    assert query(restore.target, "SELECT count(*) FROM variable WHERE key = 'nonsense'") == [(0,)]
    for looked_up in re.findall(r"```sql\n(.*?)```", section, re.S):
        assert query(restore.target, looked_up)


def test_given_the_worst_day_s_list_of_what_was_active_then_it_is_what_the_export_has(
    restore: Command, exported: Export
) -> None:
    section = DOCUMENT.partition("### The worst day\n")[2].partition("\n#")[0]
    [command] = re.findall(r"^mwaa-metadata-export .*--json.*", section, re.M)
    [table] = [each for each in exported.plan.tables if each.name == "dag"]
    rows = csv.DictReader(io.StringIO(gzip.decompress(exported.objects[table.key]).decode()))
    active = [row["dag_id"] for row in rows if row["is_paused"] == "f"]

    code, said = restore.run(command)

    assert code == 0, said
    assert command.endswith(" | jq -r '.restored.paused[]' > active.txt")
    assert sorted(json.loads(said)["restored"]["paused"]) == sorted(active) != []


def _exported(table: Any) -> exported_table.ExportedTable:
    columns = tuple(exported_table.Column(column.name, column.type) for column in table.columns)
    kept = ("key", "rows", "csv_bytes", "object_bytes", "checksum_sha256", "part_sizes", "content_checksum")
    known = {name: getattr(table, name) for name in kept}
    made = summary().details["dag"]
    return replace(made, **known, columns=columns)
