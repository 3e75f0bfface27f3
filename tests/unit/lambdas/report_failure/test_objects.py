"""What a failed execution left in S3."""

import gzip

import pytest
from botocore.exceptions import ClientError
from export_contracts.summary import Selection
from export_runtime import clients
from export_runtime.errors import AwsCallError
from report_failure.objects import ExportObjects

from tests.documents import pointer, stored, summary
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
    own = summary(status="INCOMPLETE")
    store.write(LAYOUT.summary_key(STARTED), stored(own), "application/gzip")
    latest = f"{LAYOUT.root}/2026/12/10/export_summary_143022.json.gz"
    store.write(latest, stored(summary(selection=Selection(("dag",)), max_age_days=7)), "application/gzip")
    store.write(LAYOUT.latest_key, stored(pointer(latest, "20261210T143022Z")), "application/json")
    remains = objects.remains(execution())
    assert (remains.tables, remains.summary, remains.latest_export_id) == (2, own, "20261210T143022Z")
    assert str(remains.latest_coverage) == "only dag; last 7 days"
    assert remains.summary_uri == f"s3://{BUCKET}/{DAY}export_summary_143022.json.gz"


def test_given_a_pointer_that_leads_nowhere_then_it_is_not_known_what_its_export_covers(store, objects):
    store.write(LAYOUT.latest_key, stored(pointer("gone.json.gz")), "application/json")
    remains = objects.remains(execution())
    assert (remains.latest_export_id, remains.latest_coverage) == ("20261211T143022Z", None)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"export_id": "x"}', b'{"export_id": 7, "summary_key": 7}'], ids=repr)
def test_given_a_damaged_pointer_then_it_names_no_export(store, objects, body):
    store.write(LAYOUT.latest_key, body, "application/json")
    assert objects.remains(execution()).latest_export_id is None


@pytest.mark.parametrize("body", [b"", b"{}", gzip.compress(b"[]", mtime=0), gzip.compress(b"{", mtime=0)], ids=repr)
def test_given_an_unreadable_summary_then_it_is_said_why(store, objects, body):
    store.write(LAYOUT.summary_key(STARTED), body, "application/gzip")
    remains = objects.remains(execution())
    assert remains.summary is None
    assert str(remains.summary_problem).startswith("it is ")


def test_given_s3_refuses_then_that_is_an_error(aws):
    with pytest.raises(AwsCallError, match="unfinished uploads"):
        ExportObjects(clients.s3(), LAYOUT).abort_uploads(execution())
