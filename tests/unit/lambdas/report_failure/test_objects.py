"""What a failed execution left in S3."""

import gzip
import json

import pytest
from botocore.exceptions import ClientError
from export_runtime import clients
from export_runtime.errors import AwsCallError
from report_failure.objects import ExportObjects

from tests.unit.lambdas.conftest import BUCKET
from tests.unit.lambdas.report_failure.cases import LAYOUT, STARTED, execution

DAY = "exports/prod-backups/2026/12/11/"


@pytest.fixture
def objects(s3) -> ExportObjects:
    """Give the objects of the environment's exports."""
    return ExportObjects(s3, LAYOUT)


def uploads(s3) -> list[str]:
    """Return the keys of unfinished uploads."""
    return sorted(upload["Key"] for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def test_given_unfinished_uploads_then_exactly_this_exports_are_aborted(s3, objects):
    others = [f"{DAY}dag_run_143023.csv.gz", "exports/other-backups/2026/12/11/dag_run_143022.csv.gz"]
    for key in (f"{DAY}dag_run_143022.csv.gz", f"{DAY}task_instance_143022.csv.gz", *others):
        s3.create_multipart_upload(Bucket=BUCKET, Key=key)
    assert objects.abort_uploads(execution()) == 2
    assert uploads(s3) == sorted(others)
    assert objects.abort_uploads(execution()) == 0


def test_given_an_upload_that_is_gone_meanwhile_then_that_is_fine(s3, objects, monkeypatch):
    s3.create_multipart_upload(Bucket=BUCKET, Key=f"{DAY}dag_run_143022.csv.gz")

    def gone(**_: object) -> None:
        raise ClientError({"Error": {"Code": "NoSuchUpload"}}, "AbortMultipartUpload")

    monkeypatch.setattr(s3, "abort_multipart_upload", gone)
    assert objects.abort_uploads(execution()) == 1


def test_given_nothing_then_nothing_remains(objects):
    remains = objects.remains(execution())
    assert (remains.tables, remains.summary, remains.latest_export_id) == (0, None, None)


def test_given_tables_summary_and_pointer_then_they_are_told(store, objects):
    for name in ("dag_run_143022.csv.gz", "xcom_143022.csv.gz", "xcom_143023.csv.gz"):
        store.write(f"{DAY}{name}", b"x", "application/gzip")
    summary = {"status": "INCOMPLETE", "total_tables": 2}
    store.write(LAYOUT.summary_key(STARTED), gzip.compress(json.dumps(summary).encode()), "application/gzip")
    latest = f"{LAYOUT.root}/2026/12/10/export_summary_143022.json.gz"
    older = {"selection": {"include_tables": ["dag"], "exclude_tables": []}, "max_age_days": 7}
    store.write(latest, gzip.compress(json.dumps(older).encode()), "application/gzip")
    pointer = {"export_id": "20261210T143022Z", "summary_key": latest}
    store.write(LAYOUT.latest_key, json.dumps(pointer).encode(), "application/json")
    remains = objects.remains(execution())
    assert (remains.tables, remains.summary, remains.latest_export_id) == (2, summary, "20261210T143022Z")
    assert str(remains.latest_coverage) == "only dag; last 7 days"
    assert remains.summary_uri == f"s3://{BUCKET}/{DAY}export_summary_143022.json.gz"


@pytest.mark.parametrize("pointer", [{}, {"summary_key": 7}, {"summary_key": "gone.json.gz"}], ids=str)
def test_given_a_pointer_that_leads_nowhere_then_it_is_not_known_what_its_export_covers(store, objects, pointer):
    store.write(LAYOUT.latest_key, json.dumps({"export_id": "x", **pointer}).encode(), "application/json")
    assert objects.remains(execution()).latest_coverage is None


@pytest.mark.parametrize("body", [b"", b"{}", gzip.compress(b"[]", mtime=0), gzip.compress(b"{", mtime=0)], ids=repr)
def test_given_an_unreadable_summary_then_there_is_none(store, objects, body):
    store.write(LAYOUT.summary_key(STARTED), body, "application/gzip")
    assert objects.remains(execution()).summary is None


def test_given_s3_refuses_then_that_is_an_error(aws):
    with pytest.raises(AwsCallError, match="unfinished uploads"):
        ExportObjects(clients.s3(), LAYOUT).abort_uploads(execution())
