"""When a COMPLETE export makes another superfluous."""

import gzip
import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
from botocore.stub import Stubber
from export_contracts.past_exports import SUMMARIES_READ
from export_contracts.summary import Selection
from export_runtime.errors import AwsCallError
from plan_export.fresh_export import find_fresh_export

from tests.documents import pointer, stored, summary
from tests.unit.lambdas.plan_export.cases import LAYOUT, NOW, SETTINGS, draft

EXPORT = draft()[0]
SUMMARY_KEY = "exports/prod-backups/2026/12/11/export_summary_060000.json.gz"


def write(store, key: str, **changes) -> None:
    """Write a summary of this morning that covers the export, with changes."""
    store.write(key, stored(summary(**{"export_id": "20261211T060000Z", **changes})), "application/gzip")


def publish(store, **changes) -> None:
    """Write such a summary, and point to it."""
    write(store, SUMMARY_KEY, **changes)
    store.write(LAYOUT.latest_key, stored(pointer(SUMMARY_KEY)), "application/json")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the same window"),
        pytest.param({"max_age_days": 31}, id="a larger window"),
        pytest.param({"max_age_days": None}, id="everything"),
        pytest.param({"export_id": "20261210T183022Z"}, id="just young enough"),
        pytest.param({"scope": "partial"}, id="partial by the parameters of that day"),
    ],
)
def test_given_a_young_complete_export_of_the_same_then_it_is_found(store, changes):
    publish(store, **changes)
    assert find_fresh_export(store, EXPORT, 20, NOW) == SUMMARY_KEY


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": "INCOMPLETE"}, id="incomplete"),
        pytest.param({"export_id": "20261210T183021Z"}, id="too old"),
        pytest.param({"environment": "test"}, id="another environment"),
        pytest.param({"max_age_days": 29}, id="a smaller window"),
        pytest.param({"selection": Selection(("log",))}, id="fewer tables"),
        pytest.param({"selection": Selection((), ("log",))}, id="not all tables"),
        pytest.param({"selection": None}, id="unknown selection"),
        pytest.param({"scope": "full", "max_age_days": 7}, id="full by the parameters of that day"),
    ],
)
def test_given_an_export_that_does_not_cover_this_one_then_it_does_not_count(store, changes):
    publish(store, **changes)
    assert find_fresh_export(store, EXPORT, 20, NOW) is None


def test_given_a_younger_partial_export_that_latest_json_names_then_the_one_before_it_is_found(store):
    """An older version pointed latest.json to any COMPLETE export."""
    write(store, SUMMARY_KEY)
    partial = SUMMARY_KEY.replace("060000", "090000")
    write(store, partial, export_id="20261211T090000Z", selection=Selection(("dag",)))
    store.write(LAYOUT.latest_key, stored(pointer(partial)), "application/json")
    assert find_fresh_export(store, EXPORT, 20, NOW) == SUMMARY_KEY


def test_given_an_export_of_yesterday_and_no_pointer_then_it_is_found(store):
    yesterday = SUMMARY_KEY.replace("12/11", "12/10").replace("060000", "190000")
    write(store, yesterday, export_id="20261210T190000Z")
    assert find_fresh_export(store, EXPORT, 20, NOW) == yesterday


def test_given_an_export_that_began_while_this_one_waited_then_it_is_found(store):
    later = SUMMARY_KEY.replace("12/11", "12/12").replace("060000", "000500")
    write(store, later, export_id="20261212T000500Z")
    assert find_fresh_export(store, EXPORT, 20, NOW.replace(day=12, hour=0, minute=30)) == later


def test_given_an_age_that_the_stack_has_raised_since_then_the_export_does_not_count(store):
    publish(store, scope="full")
    assert find_fresh_export(store, draft({}, replace(SETTINGS, max_age_in_days=90))[0], 20, NOW) is None


def test_given_many_exports_of_less_then_the_search_ends(store, monkeypatch):
    less = {"selection": Selection(("dag",))}
    for minute in range(45):
        write(store, SUMMARY_KEY.replace("060000", f"06{minute:02}00"), **less)
    reads = []
    monkeypatch.setattr(store, "read", lambda key, read=store.read: reads.append(key) or read(key))
    assert find_fresh_export(store, EXPORT, 20, NOW) is None
    assert len(reads) == 1 + SUMMARIES_READ


def test_given_everything_is_wanted_then_a_window_does_not_cover_it(store):
    publish(store)
    everything = draft({"max_age_in_days": None})[0]
    assert find_fresh_export(store, everything, 20, NOW) is None


def test_given_no_export_then_none_is_found(store):
    assert find_fresh_export(store, EXPORT, 20, NOW) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"summary_key": 7}', stored(pointer("gone.gz"))], ids=repr)
def test_given_an_unusable_pointer_then_no_export_is_found(store, content):
    store.write(LAYOUT.latest_key, content, "application/json")
    assert find_fresh_export(store, EXPORT, 20, NOW) is None


def changed(body: bytes, **changes: object) -> bytes:
    """Return a summary's content with fields that no type holds."""
    return gzip.compress(json.dumps(json.loads(gzip.decompress(body)) | changes).encode())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: body[:-12], id="truncated"),
        pytest.param(lambda body: body[:20] + b"\0\0\0\0" + body[24:], id="corrupt"),
        pytest.param(lambda body: gzip.decompress(body), id="not compressed"),
        pytest.param(lambda body: b"", id="empty"),
        pytest.param(lambda body: changed(body, export_id="yesterday"), id="malformed id"),
        pytest.param(lambda body: changed(body, export_id=None), id="no id"),
        pytest.param(lambda body: changed(body, max_age_days="30"), id="malformed window"),
        pytest.param(lambda body: changed(body, format_version=3), id="of a format to come"),
    ],
)
def test_given_an_unreadable_summary_then_it_does_not_count(store, damage):
    publish(store)
    store.write(SUMMARY_KEY, damage(store.read(SUMMARY_KEY).body), "application/gzip")
    assert find_fresh_export(store, EXPORT, 20, NOW) is None


@pytest.mark.parametrize(
    ("code", "refused"), [("InvalidObjectState", False), ("AccessDenied", True)], ids=["archived", "refused"]
)
def test_given_a_pointer_that_s3_does_not_give_then_only_an_archived_one_does_not_count(s3, store, code, refused):
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", code, "no", http_status_code=403)
        if not refused:
            stub.add_response("list_objects_v2", {})
            stub.add_response("list_objects_v2", {})
        with pytest.raises(AwsCallError, match=code) if refused else nullcontext():
            assert find_fresh_export(store, EXPORT, 20, NOW) is None
