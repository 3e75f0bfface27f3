"""Objects and conditional writes."""

import pytest
from botocore.stub import Stubber
from export_runtime import clients
from export_runtime.errors import AwsCallError
from export_runtime.store import ObjectStore


def test_given_no_object_then_reading_says_so(store):
    assert store.read("nothing") is None
    assert store.facts("nothing") is None


def test_given_an_object_then_its_size_and_checksum_are_known(store):
    store.write("key", b"hello", "text/plain")
    facts = store.facts("key")
    assert (facts.size, facts.checksum_sha256) == (5, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")


def test_given_nobody_wrote_meanwhile_then_a_conditional_write_succeeds(store):
    assert store.write_if_unchanged("key", b"1", None)
    assert store.write_if_unchanged("key", b"2", store.read("key"))
    assert store.read("key").body == b"2"


def test_given_somebody_created_it_meanwhile_then_a_conditional_write_loses(store):
    store.write("key", b"theirs", "text/plain")
    assert not store.write_if_unchanged("key", b"mine", None)
    assert store.read("key").body == b"theirs"


def test_given_somebody_changed_it_meanwhile_then_a_conditional_write_loses(store):
    store.write("key", b"seen", "text/plain")
    seen = store.read("key")
    store.write("key", b"theirs", "text/plain")
    assert not store.write_if_unchanged("key", b"mine", seen)
    assert store.read("key").body == b"theirs"


@pytest.mark.parametrize(
    ("code", "status"), [("ConditionalRequestConflict", 409), ("PreconditionFailed", 412), ("NoSuchKey", 404)]
)
def test_given_any_way_to_lose_then_it_is_an_answer_and_no_error(code, status):
    client = clients.s3()
    with Stubber(client) as stub:
        stub.add_client_error("put_object", code, http_status_code=status)
        assert not ObjectStore(client, "bucket").write_if_unchanged("key", b"", None)


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_given_access_is_denied_then_that_is_not_taken_for_a_missing_object(operation):
    client = clients.s3()
    call = {"get_object": ObjectStore.read, "head_object": ObjectStore.facts}[operation]
    with Stubber(client) as stub:
        stub.add_client_error(operation, "403", http_status_code=403)
        with pytest.raises(AwsCallError, match="s3://bucket/key"):
            call(ObjectStore(client, "bucket"), "key")
