"""The Glue run that restores beside a running Airflow: what it commits is what was exported, or nothing is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from cryptography.fernet import Fernet
from metadata_export.aws import s3_client
from metadata_proof.errors import ProofError
from metadata_proof.restore_job import main, parse_arguments
from metadata_restore.errors import RestoreError, UncertainError
from metadata_restore.fernet import ENCRYPTED
from moto import mock_aws

from tests.contracts import violations
from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import Export, content, encrypt, export_of

REGION = "eu-central-1"
COMPONENT = (
    "INSERT INTO job (id, state, job_type, hostname, latest_heartbeat, start_date) "
    "VALUES (900001, 'running', 'SchedulerJob', 'host', now(), now())"
)


@pytest.fixture
def export(databases: Databases) -> Export:
    source, _ = databases.aged("3.3.1")
    return export_of(source)


@pytest.fixture
def bucket(export: Export, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with account(export, monkeypatch) as s3:
        yield s3


@contextmanager
def account(export: Export, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account with the objects of an export."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3_client.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
        for key, body in export.objects.items():
            s3.put_object(Bucket="exports", Key=key, Body=body)
        yield s3
    s3_client.cache_clear()


def run(
    s3: Any, export: Export, target: str, fernet_key: str | None = None, kept: str = "", **changed: str
) -> dict[str, Any]:
    """Run the job on a database, with changed values of the plan's tables, and return its report."""
    plan = json.loads(json.dumps({"format_version": 1, **asdict(export.plan)}))
    for table in plan["tables"]:
        table.update({name: value for name, value in changed.items() if table["name"] == "dag_run"})
    assert violations("restore_plan", plan) == []
    s3.put_object(Bucket="exports", Key="plan.json", Body=json.dumps(plan).encode())
    url = urlsplit(target)
    secret = {"engine": "postgres", "host": url.hostname, "port": url.port, "dbname": unquote(url.path[1:]),
              "username": url.username, "password": unquote(url.password or ""), "sslmode": "prefer",
              "fernet_key_version": fernet_key}  # fmt: skip
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name="write", SecretString=json.dumps(secret))
    main(arguments(**({"FERNET_KEY_SECRET": kept} if kept else {})))
    return dict(json.load(s3.get_object(Bucket="exports", Key="report.json")["Body"]))


def arguments(**changes: str) -> list[str]:
    values = {
        "AWS_REGION": REGION,
        "RESTORE_PLAN": "s3://exports/plan.json",
        "RESTORE_REPORT": "s3://exports/report.json",
        "DATABASE_SECRET": "write",
        "RESTORE_OPTIONS": '{"paused": true, "unfinished": "fail", "without_orphans": false}',
    }
    return ["--JOB_NAME", "x", *(word for name, value in (values | changes).items() for word in (f"--{name}", value))]


def test_given_a_running_environment_when_restored_then_everything_is_compared_and_its_components_live_on(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target = databases.empty("3.3.1")
    with psycopg.connect(target) as connection:
        connection.execute(COMPONENT)

    report = run(bucket, export, target)

    marker = marker_of(bucket)
    with psycopg.connect(target) as connection:
        assert connection.execute("SELECT pg_xact_status(%s::text::xid8)", [marker["transaction"]]).fetchall() == [
            ("committed",)
        ]
    assert marker["report"] == report
    assert report["contents"] == len(export.plan.tables) - 1  # job keeps rows of its own
    assert report["notes"] == ["job: not compared, for running components keep rows of their own"]
    assert report["rows"].keys() == {table.name for table in export.plan.tables}
    assert report["paused"] > 0
    with psycopg.connect(target) as connection:
        [[active, alive]] = connection.execute(
            "SELECT (SELECT count(*) FROM dag WHERE NOT is_paused), (SELECT count(*) FROM job WHERE id = 900001)"
        ).fetchall()
    assert (active, alive) == (0, 1)


def test_given_rows_that_are_not_what_was_recorded_when_restored_then_nothing_is_committed(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target = databases.empty("3.3.1")
    before = content(target)

    with pytest.raises(RestoreError, match=r"content of dag_run is not what was exported.*nothing was changed in the"):
        run(bucket, export, target, content_checksum="xxh3-sum:0000000000000000")

    assert content(target) == before


OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
OLD_VERSION, NEW_VERSION = "0" * 31 + "1", "0" * 31 + "2"


@pytest.fixture
def encrypted(databases: Databases) -> Export:
    """An export whose values are encrypted with OLD, whose key was kept."""
    source, _ = databases.aged("3.3.1")
    encrypt(source, OLD)
    made = export_of(source)
    return replace(made, plan=replace(made.plan, fernet_key_version=OLD_VERSION))


def keep_keys() -> str:
    """Keep both keys as the target's stack does, and return the secret."""
    secrets = boto3.client("secretsmanager", region_name=REGION)
    secrets.create_secret(Name="prod/fernet-key")
    for version, key in ((OLD_VERSION, OLD), (NEW_VERSION, NEW)):
        secrets.put_secret_value(SecretId="prod/fernet-key", SecretString=key, ClientRequestToken=version)
    return "prod/fernet-key"


def test_given_the_key_of_the_export_and_another_one_now_then_what_is_encrypted_is_encrypted_anew(
    encrypted: Export, databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = databases.empty("3.3.1")
    with account(encrypted, monkeypatch) as s3:
        report = run(s3, encrypted, target, fernet_key=NEW_VERSION, kept=keep_keys())

    with psycopg.connect(target) as connection:
        [[values, passwords]] = connection.execute(
            "SELECT (SELECT array_agg(val) FROM variable), (SELECT array_agg(password) FROM connection)"
        ).fetchall()
    assert {Fernet(NEW).decrypt(token) for token in [*values, *passwords]} == {b"plain"}
    anew = [f"{name}: encrypted anew, so the number of its rows alone was compared" for name in ENCRYPTED]
    assert set(report["notes"]) >= {"what is encrypted was encrypted anew with the target's Fernet key", *anew}
    assert report["contents"] == len(encrypted.plan.tables) - 1 - len(ENCRYPTED)
    assert report["encrypted"] == {}
    said = capsys.readouterr()
    assert not [key for key in (OLD, NEW) if key in said.out + said.err + json.dumps(report)]


def test_given_a_key_that_does_not_fit_then_nothing_is_changed(
    encrypted: Export, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = databases.empty("3.3.1")
    before = content(target)
    other = replace(encrypted, plan=replace(encrypted.plan, fernet_key_version=NEW_VERSION))
    with (
        account(encrypted, monkeypatch) as s3,
        pytest.raises(RestoreError, match=r"old Fernet key does not decrypt .* nothing was changed in the target"),
    ):
        run(s3, other, target, fernet_key=OLD_VERSION, kept=keep_keys())
    assert content(target) == before


def test_given_a_key_that_is_not_kept_then_it_stays_encrypted_and_the_report_says_so(
    encrypted: Export, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = databases.empty("3.3.1")
    with account(encrypted, monkeypatch) as s3:
        report = run(s3, encrypted, target)
    assert "the target's Fernet key is not kept (KeepFernetKey): what is encrypted is as it was" in report["notes"]
    assert report["encrypted"].keys() == set(ENCRYPTED)
    assert report["contents"] == len(encrypted.plan.tables) - 1


@pytest.mark.parametrize("document", ["committing", "report"])
def test_given_a_document_that_cannot_be_written_when_restored_then_the_error_says_what_became_of_the_target(
    bucket: Any, export: Export, databases: Databases, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = databases.empty("3.3.1")
    before = content(target)
    put = s3_client(REGION).put_object

    def refusing(**given: Any) -> Any:
        if given["Key"].startswith(document):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
        return put(**given)

    monkeypatch.setattr(s3_client(REGION), "put_object", refusing)
    said = {"committing": "nothing was changed in the target", "report": "the target is restored, but the report"}
    with pytest.raises((RestoreError, ProofError), match=f"{said[document]}"):
        run(bucket, export, target)

    assert (content(target) == before) is (document == "committing")


def marker_of(s3: Any, **changes: Any) -> dict[str, Any]:
    """Return what a try left before its commit; with changes, leave it otherwise."""
    found = dict(json.load(s3.get_object(Bucket="exports", Key="committing.json")["Body"]))
    if changes:
        s3.put_object(Bucket="exports", Key="committing.json", Body=json.dumps(found | changes).encode())
    return found


def since(target: str) -> int:
    with psycopg.connect(target) as connection:
        [[number]] = connection.execute("SELECT count(*) FROM variable WHERE key = 'since'").fetchall()
        return int(number)


def rolled_back(target: str) -> str:
    """The number of a transaction that was rolled back."""
    with psycopg.connect(target) as connection:
        [[number]] = connection.execute("SELECT pg_current_xact_id()::text").fetchall()
        connection.rollback()
        return str(number)


def restored(s3: Any, export: Export, databases: Databases) -> tuple[str, dict[str, Any]]:
    """Restore, let Airflow go on, lose the report, and return the target and what the report was."""
    target = databases.empty("3.3.1")
    report = run(s3, export, target)
    with psycopg.connect(target) as connection:
        connection.execute("INSERT INTO variable (key, val, is_encrypted) VALUES ('since', 'stays', false)")
    s3.delete_object(Bucket="exports", Key="report.json")
    return target, report


def test_given_a_try_that_was_committed_when_tried_again_then_its_report_is_written_and_nothing_is_restored_again(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target, report = restored(bucket, export, databases)

    main(arguments())

    assert json.load(bucket.get_object(Bucket="exports", Key="report.json")["Body"]) == report
    assert since(target) == 1


def test_given_a_try_that_was_rolled_back_when_tried_again_then_it_is_restored(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target, report = restored(bucket, export, databases)
    aborted = rolled_back(target)
    marker_of(bucket, transaction=aborted)

    main(arguments())

    assert since(target) == 0
    assert marker_of(bucket)["transaction"] != aborted
    assert json.load(bucket.get_object(Bucket="exports", Key="report.json")["Body"])["rows"] == report["rows"]


def test_given_a_try_that_was_rolled_back_when_the_next_one_fails_too_then_nothing_says_that_it_began_to_commit(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target, _ = restored(bucket, export, databases)
    marker_of(bucket, transaction=rolled_back(target))
    bucket.delete_object(Bucket="exports", Key=export.plan.tables[0].key)

    with pytest.raises(RestoreError, match=r"does not exist.*nothing was changed"):
        main(arguments())

    assert [
        each["Key"] for each in bucket.list_objects_v2(Bucket="exports", Prefix="committing").get("Contents", [])
    ] == []


@pytest.mark.parametrize("transaction", ["3", "99999999999"], ids=["too old", "of another server"])
def test_given_a_try_of_which_the_database_knows_nothing_when_tried_again_then_nothing_is_overwritten(
    bucket: Any, export: Export, databases: Databases, transaction: str
) -> None:
    target, _ = restored(bucket, export, databases)
    marker_of(bucket, transaction=transaction)

    with pytest.raises(UncertainError, match=r"does not say what became of it .*Nothing was changed now"):
        main(arguments())

    assert since(target) == 1


def test_given_a_try_that_was_committed_when_the_next_one_cannot_begin_then_it_speaks_of_itself_alone(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target, _ = restored(bucket, export, databases)
    boto3.client("secretsmanager", region_name=REGION).delete_secret(SecretId="write")

    with pytest.raises(RestoreError, match=r"nothing was changed in the target by this run$"):
        main(arguments())

    assert since(target) == 1


def test_given_a_try_in_another_database_when_tried_again_then_it_is_restored(
    bucket: Any, export: Export, databases: Databases
) -> None:
    target, _ = restored(bucket, export, databases)
    marker_of(bucket, database="elsewhere:5432/airflow")

    main(arguments())

    assert since(target) == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"RESTORE_PLAN": ""}, "lacks the arguments RESTORE_PLAN"),
        ({"RESTORE_OPTIONS": "{"}, "RESTORE_OPTIONS"),
        ({"RESTORE_OPTIONS": '{"replace": false}'}, "RESTORE_OPTIONS"),
        ({"RESTORE_OPTIONS": '{"drop": true}'}, "RESTORE_OPTIONS"),
    ],
    ids=["no plan", "no JSON", "an option that is not free", "an unknown option"],
)
def test_given_arguments_that_the_job_does_not_take_then_they_are_named(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ProofError, match=named):
        parse_arguments(arguments(**changes))
