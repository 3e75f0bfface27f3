"""`keep`, `release` and `list --expiring`: a copy that the lifecycle does not take, whole, and gone when released."""

import gzip
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from export_cli.commands.expiring import deleted_on
from tests.unit.cli.environment import refusal, set_lifecycle
from tests.unit.cli.made import BUCKET, LAYOUT, TABLES, Made, composite, digest
from tests.unit.cli.test_parquet_query import add_parquet
from tests.unit.cli.test_query import RUNS, TYPES

ROOT = "kept/prod-backups"
EXPIRE = {"ID": "Exports", "Filter": {"Prefix": "exports/"}, "Expiration": {"Days": 365}}


class S3:
    """moto's S3, with the checksums that S3 gives of parts that are copied.

    AWS documented: of an upload with a checksum algorithm, UploadPartCopy and CompleteMultipartUpload give checksums.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_multipart_upload(self, **request: Any) -> Any:
        """Begin, and forget the parts of before."""
        self._parts = []
        return self._real.create_multipart_upload(**request)

    def upload_part_copy(self, **request: Any) -> Any:
        """Copy, and say which checksum the part has."""
        answer = self._real.upload_part_copy(**request)
        part = self._real.get_object(**request["CopySource"], Range=request["CopySourceRange"])["Body"].read()
        self._parts.append(part)
        answer["CopyPartResult"]["ChecksumSHA256"] = digest(part)
        return answer

    def complete_multipart_upload(self, MultipartUpload: Any, **request: Any) -> Any:  # noqa: N803 - AWS' name
        """Complete, and say which checksum the object has."""
        plain = [{name: part[name] for name in ("PartNumber", "ETag")} for part in MultipartUpload["Parts"]]
        answer = self._real.complete_multipart_upload(MultipartUpload={"Parts": plain}, **request)
        return answer | {"ChecksumSHA256": composite(self._parts)}


@pytest.fixture(autouse=True)
def one_at_a_time(made: Made, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> S3:
    """Give an S3 that takes the small parts of these tests."""
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr("export_cli.keeping._AT_ONCE", 1)
    fakes["s3"] = S3(made.s3)
    return fakes["s3"]


def keys(made: Made, prefix: str) -> list[str]:
    """Return the keys below a prefix."""
    return [each["Key"] for each in made.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]


def remove(made: Made, prefix: str) -> None:
    """Delete what is below a prefix, as the lifecycle does."""
    for key in keys(made, prefix):
        made.s3.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def other(made: Made) -> str:
    """Give the id of an export of the same day, or of the day before."""
    set_lifecycle(EXPIRE)
    return made.export(timedelta(hours=2)).export_id


def test_given_an_export_then_it_is_kept_whole_without_the_others_and_every_command_reads_it(made, run, other):
    kept = made.export(timedelta(hours=3))
    made.put(f"{LAYOUT.day_prefix(kept.started)}export_schema_{kept.started:%H%M%S}.sql.gz", b"schema")
    result = run("keep", kept.export_id)
    assert result.code == 0
    assert len(keys(made, ROOT)) == 6
    assert not [key for key in keys(made, ROOT) if other[9:15] in key]
    remove(made, f"{LAYOUT.root}/20")
    verified = run("verify", kept.export_id, "--base-prefix", "kept", "--json")
    assert (verified.code, verified.json["sound"], len(verified.json["tables"])) == (0, True, 3)
    assert "3 tables" in run("show", kept.export_id, "--base-prefix", "kept").out
    assert "It is kept: say --base-prefix kept." in run("show", kept.export_id).err


def test_given_a_schema_then_the_copy_names_its_own_and_stays_whole_when_the_export_has_gone(made, run, other):
    summary = made.export(timedelta(hours=3), schema=b"CREATE TABLE")
    assert run("keep", summary.export_id).code == 0
    remove(made, f"{LAYOUT.root}/20")
    verified = run("verify", summary.export_id, "--base-prefix", "kept", "--json").json
    assert (verified["sound"], verified["schema"]["problems"]) == (True, [])
    assert verified["schema"]["key"].startswith(f"{ROOT}/")


def test_given_a_schema_that_is_gone_then_nothing_counts_as_kept(made, run, other):
    summary = made.export(timedelta(hours=3), schema=b"CREATE TABLE")
    made.s3.delete_object(Bucket=BUCKET, Key=summary.schema.key)
    result = run("keep", summary.export_id)
    assert (result.code, summary.schema.key in result.err) == (3, True)
    assert [key for key in keys(made, ROOT) if "summary" in key] == []


def test_given_a_copy_that_names_the_schema_of_the_export_then_it_is_not_taken_for_kept(made, run, other):
    summary = made.export(timedelta(hours=3), schema=b"CREATE TABLE")
    assert run("keep", summary.export_id).code == 0
    key = LAYOUT.summary_key(summary.started).replace(LAYOUT.root, ROOT)
    copy = json.loads(gzip.decompress(made.body(key)))
    copy["schema"]["key"] = summary.schema.key  # as `keep` wrote it once
    made.put(key, gzip.compress(json.dumps(copy).encode()))
    assert run("keep", summary.export_id, "--json").json["was_there"] is False
    assert run("verify", summary.export_id, "--base-prefix", "kept").code == 0


def test_given_a_copy_of_an_incomplete_export_that_got_more_since_then_that_is_copied_too(made, run, other):
    age = timedelta(hours=3)
    tables = {name: TABLES[name] for name in ("dag", "slot_pool")}
    first = made.export(age, tables={"dag": TABLES["dag"]}, status="INCOMPLETE")
    assert run("keep", first.export_id).code == 0
    key = LAYOUT.summary_key(first.started)
    now = made.export(datetime.now(UTC) - first.started, tables=tables, status="INCOMPLETE")
    assert LAYOUT.summary_key(now.started) == key
    assert run("keep", first.export_id).code == 0
    copy = json.loads(gzip.decompress(made.body(key.replace(LAYOUT.root, ROOT))))
    assert copy["details"].keys() == tables.keys()


def test_given_more_objects_than_s3_lists_at_once_then_all_of_the_export_is_kept_and_released(made, run, other):
    summary = made.export(timedelta(hours=3))
    for number in range(1000):  # of other exports of that day
        made.put(f"{LAYOUT.day_prefix(summary.started)}ab_{number:04}_000000.csv.gz", b"")
        made.put(f"{LAYOUT.day_prefix(summary.started)}ab_{number:04}_000000.csv.gz".replace(LAYOUT.root, ROOT), b"")
    assert run("keep", summary.export_id).code == 0
    kept = [key for key in made.all_keys(ROOT) if f"_{summary.started:%H%M%S}." in key]
    assert len(kept) == 5  # the report is one
    [shown] = [each for each in run("list", "--expiring", "--json").json if each["export_id"] == summary.export_id]
    assert shown["kept"] is True
    assert run("release", summary.export_id).code == 0
    assert len(made.all_keys(ROOT)) == 1000


def test_given_it_is_kept_already_then_nothing_is_copied_again(made, run, other):
    run("keep", other)
    again = run("keep", other)
    assert (again.code, "was kept before" in again.out) == (0, True)
    assert run("keep", other, "--json").json["was_there"] is True


def test_given_fields_that_a_later_version_adds_then_the_copy_has_them(made, run):
    summary = made.export()
    key = LAYOUT.summary_key(summary.started)
    made.put(key, gzip.compress(json.dumps(summary.to_json() | {"later": 1}).encode()))
    assert run("keep", summary.export_id).code == 0
    copy = json.loads(gzip.decompress(made.body(key.replace(LAYOUT.root, ROOT))))
    assert (copy["later"], copy["total_rows"]) == (1, summary.total_rows)
    assert {entry["key"].partition("/")[0] for entry in copy["details"].values()} == {"kept"}


def test_given_parquet_then_the_copy_does_not_tell_of_files_that_expire_with_the_export(made, run, other):
    summary = made.export(timedelta(hours=3), tables={"dag_run": RUNS}, types={"dag_run": TYPES})
    add_parquet(made, summary, "dag_run", RUNS, {})
    assert run("keep", summary.export_id).code == 0
    remove(made, LAYOUT.root)
    asked = ("query", "SELECT count(*) AS n FROM dag_run", "--export", summary.export_id, "--cache-limit", "0")
    answer = run(*asked, "--base-prefix", "kept", "--json")
    assert (answer.code, answer.json) == (0, [{"n": 3}])


def test_given_ctrl_c_then_no_further_part_is_copied_and_release_removes_what_was(
    made, one_at_a_time, run, other, monkeypatch
):
    copied = []

    def copy_and_interrupt(original=one_at_a_time.upload_part_copy, **request: Any) -> Any:
        copied.append(request["PartNumber"])
        if len(copied) == 3:  # the first table is whole
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)
        return original(**request)

    monkeypatch.setattr(one_at_a_time, "upload_part_copy", copy_and_interrupt)
    interrupted = run("keep", other)
    assert (interrupted.code, copied) == (130, [1, 2, 1])
    assert f"mwaa-metadata-export release {other} -e prod" in interrupted.err
    assert "Uploads" not in made.s3.list_multipart_uploads(Bucket=BUCKET)
    assert len(keys(made, ROOT)) == 1
    assert run("release", "20200101T000000Z").code == 4
    assert (run("release", other).code, keys(made, ROOT)) == (0, [])


def test_given_an_object_that_is_not_what_was_exported_then_nothing_counts_as_kept(made, run):
    summary = made.export()
    entry = summary.details["dag"]
    made.put(entry.key, b"x" * entry.object_bytes)
    result = run("keep", summary.export_id)
    assert (result.code, "is not what was exported" in result.err) == (3, True)
    assert [key for key in keys(made, ROOT) if "summary" in key] == []
    assert "Uploads" not in made.s3.list_multipart_uploads(Bucket=BUCKET)


def test_given_a_summary_that_goes_meanwhile_then_that_is_said_and_nothing_is_kept(made, run, monkeypatch):
    export = made.export(timedelta(days=364))
    gone = {"Bucket": BUCKET, "Key": LAYOUT.summary_key(export.started)}
    monkeypatch.setattr("export_cli.keeping.Keeper.refuse_deleting_rule", lambda *_: made.s3.delete_object(**gone))
    result = run("keep", export.export_id)
    assert (result.code, keys(made, ROOT)) == (4, [])
    assert "was there a moment ago, and is gone or damaged: nothing was kept" in result.err


@pytest.mark.parametrize("prefix", ["", "kept/"])
def test_given_a_rule_that_would_delete_the_copy_too_then_it_is_refused_and_named(made, run, other, prefix):
    set_lifecycle({"ID": "All", "Filter": {"Prefix": prefix}, "Expiration": {"Days": 9}})
    result = run("keep", other)
    assert (result.code, keys(made, ROOT)) == (2, [])
    assert "Lifecycle rule All of prod-exports would delete the copy too" in result.err


def test_given_an_archived_object_then_it_has_to_be_restored_first(made, one_at_a_time, run, other, monkeypatch):
    def refuse(**_: object) -> None:
        raise refusal("InvalidObjectState")

    monkeypatch.setattr(one_at_a_time, "upload_part_copy", refuse)
    result = run("keep", other)
    assert result.code == 3
    assert "restore it first" in result.err
    assert "Uploads" not in made.s3.list_multipart_uploads(Bucket=BUCKET)


def test_given_a_kept_export_then_release_deletes_the_copy_and_leaves_the_export(made, run, other):
    run("keep", other)
    before = keys(made, LAYOUT.root)
    result = run("release", other)
    assert (result.code, keys(made, ROOT), keys(made, LAYOUT.root)) == (0, [], before)
    assert run("release", other).code == 4


def test_given_the_only_copy_then_release_asks_for_yes(made, run, other):
    run("keep", other)
    remove(made, f"{LAYOUT.root}/20")
    refused = run("release", other)
    assert (refused.code, len(keys(made, ROOT))) == (2, 5)
    assert "the only copy" in refused.err
    assert (run("release", other, "--yes").code, keys(made, ROOT)) == (0, [])


def test_given_release_is_interrupted_then_no_summary_is_left_that_would_pass_for_a_whole_copy(
    made, run, other, monkeypatch, one_at_a_time
):
    run("keep", other)
    calls = []

    def delete(original=made.s3.delete_object, **where: str) -> None:
        calls.append(where["Key"])
        if len(calls) == 3:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "DeleteObject")  # type: ignore[typeddict-item]
        original(**where)

    monkeypatch.setattr(one_at_a_time, "delete_object", delete)
    assert run("release", other).code == 3
    assert "export_summary" in calls[0]
    assert len(keys(made, ROOT)) == 3
    assert (run("release", other).code, keys(made, ROOT)) == (0, [])


def test_given_exports_then_expiring_has_the_oldest_first_with_its_day_and_what_is_kept(made, run, other):
    old = made.export(timedelta(days=360))
    run("keep", other)
    first, second = run("list", "--expiring", "--json").json
    assert (first["export_id"], first["kept"], second["kept"]) == (old.export_id, False, True)
    assert first["days_left"] in (5, 6)
    out = run("list", "--expiring", "-n", "1").out
    assert f"{deleted_on(old.started, 365):%Y-%m-%d}" in out
    assert f"mwaa-metadata-export keep {old.export_id} -e prod" in out


def test_given_no_rule_then_nothing_expires(made, run):
    made.export()
    assert "No lifecycle rule of prod-exports deletes exports" in run("list", "--expiring").out
    assert run("list", "--expiring", "--json").json[0]["deleted_on"] is None


def test_s3_rounds_up_to_the_next_midnight():
    started = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    assert deleted_on(started, 3) == datetime(2026, 1, 19, tzinfo=UTC)
