"""When a COMPLETE export makes another superfluous."""

import gzip
import json
from contextlib import nullcontext

import pytest
from botocore.stub import Stubber
from export_contracts.errors import AwsCallError
from plan_export.fresh_export import find_fresh_export

from tests.unit.lambdas.plan_export.cases import LAYOUT, draft

EXPORT = draft()[0]
SUMMARY_KEY = "exports/prod-backups/2026/12/11/export_summary_060000.json.gz"


def publish(store, **changes) -> None:
    """Write a summary of this morning that covers the export, with changes, and point to it."""
    summary = {
        "export_id": "20261211T060000Z",
        "status": "COMPLETE",
        "environment": "prod",
        "max_age_days": 30,
        "selection": EXPORT.selection,
        **changes,
    }
    store.write(SUMMARY_KEY, gzip.compress(json.dumps(summary).encode()), "application/gzip")
    store.write(LAYOUT.latest_key, json.dumps({"summary_key": SUMMARY_KEY}).encode(), "application/json")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the same window"),
        pytest.param({"max_age_days": 31}, id="a larger window"),
        pytest.param({"max_age_days": None}, id="everything"),
        pytest.param({"export_id": "20261210T183022Z"}, id="just young enough"),
    ],
)
def test_given_a_young_complete_export_of_the_same_then_it_is_found(store, changes):
    publish(store, **changes)
    assert find_fresh_export(store, EXPORT, 20) == SUMMARY_KEY


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": "INCOMPLETE"}, id="incomplete"),
        pytest.param({"export_id": "20261210T183021Z"}, id="too old"),
        pytest.param({"export_id": "yesterday"}, id="malformed id"),
        pytest.param({"export_id": None}, id="no id"),
        pytest.param({"environment": "test"}, id="another environment"),
        pytest.param({"max_age_days": 29}, id="a smaller window"),
        pytest.param({"max_age_days": "30"}, id="malformed window"),
        pytest.param({"selection": {"include_tables": ["log"], "exclude_tables": []}}, id="fewer tables"),
        pytest.param({"selection": None}, id="unknown selection"),
    ],
)
def test_given_an_export_that_does_not_cover_this_one_then_it_does_not_count(store, changes):
    publish(store, **changes)
    assert find_fresh_export(store, EXPORT, 20) is None


def test_given_everything_is_wanted_then_a_window_does_not_cover_it(store):
    publish(store)
    everything = draft({"max_age_in_days": None})[0]
    assert find_fresh_export(store, everything, 20) is None


def test_given_no_export_then_none_is_found(store):
    assert find_fresh_export(store, EXPORT, 20) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"summary_key": 7}', b'{"summary_key": "gone.gz"}'], ids=repr)
def test_given_an_unusable_pointer_then_no_export_is_found(store, content):
    store.write(LAYOUT.latest_key, content, "application/json")
    assert find_fresh_export(store, EXPORT, 20) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: body[:-12], id="truncated"),
        pytest.param(lambda body: body[:20] + b"\0\0\0\0" + body[24:], id="corrupt"),
        pytest.param(lambda body: gzip.decompress(body), id="not compressed"),
        pytest.param(lambda body: b"", id="empty"),
    ],
)
def test_given_an_unreadable_summary_then_it_does_not_count(store, damage):
    publish(store)
    store.write(SUMMARY_KEY, damage(store.read(SUMMARY_KEY).body), "application/gzip")
    assert find_fresh_export(store, EXPORT, 20) is None


@pytest.mark.parametrize(
    ("code", "refused"), [("InvalidObjectState", False), ("AccessDenied", True)], ids=["archived", "refused"]
)
def test_given_a_pointer_that_s3_does_not_give_then_only_an_archived_one_does_not_count(s3, store, code, refused):
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", code, "no", http_status_code=403)
        with pytest.raises(AwsCallError, match=code) if refused else nullcontext():
            assert find_fresh_export(store, EXPORT, 20) is None
