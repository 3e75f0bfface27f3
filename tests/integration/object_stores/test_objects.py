"""Objects in one piece, as the engine and the functions write, read and list them."""

import hashlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from export_runtime.store import ObjectFacts, ObjectStore
from metadata_export.storage import Store

pytestmark = pytest.mark.on_aws
# What the layout makes of the names of tables, and what a bucket's prefix may hold.
NAMES = [
    "plain",
    quote("per cent % and / slash", safe=""),
    quote("naïve 漢 😀", safe=""),
    "%2F%252F%",
    "blank and+plus",
    "<xml>&amp;'\"",
    "a=b&c=d?e#f;g",
    "naïve 漢 😀 e\u0301",
    "_.-~!$()*,:@",
    "[x]{y}|z^`w",
]
BODY = bytes(range(256)) * 300


def sha256(body: bytes) -> str:
    return b64encode(hashlib.sha256(body).digest()).decode()


def test_given_an_object_of_the_engine_then_everybody_reads_it(store: Store, objects: ObjectStore, key: str) -> None:
    part = store.put(key, BODY)

    assert store.read(key) == (BODY, part.etag)
    found = objects.read(key)
    assert found is not None
    assert (found.body, found.etag) == (BODY, part.etag)
    assert store.facts(key) == (len(BODY), sha256(BODY))
    assert objects.facts(key) == ObjectFacts(len(BODY), sha256(BODY))
    assert part.sha256 == sha256(BODY)


def test_given_an_object_of_the_functions_then_everybody_reads_it(store: Store, objects: ObjectStore, key: str) -> None:
    objects.write(key, BODY, "text/html")

    assert objects.facts(key) == ObjectFacts(len(BODY), sha256(BODY))
    assert store.facts(key) == (len(BODY), sha256(BODY))
    assert store.s3.head_object(Bucket=store.bucket, Key=key)["ContentType"] == "text/html"


def test_given_an_object_then_its_version_says_since_when_it_is_there(objects: ObjectStore, key: str) -> None:
    objects.write(key, b"1", "text/plain")

    found, version = objects.read(key), objects.version(key)

    assert found is not None
    assert version is not None
    assert version.etag == found.etag
    assert abs(datetime.now(UTC) - version.written) < timedelta(minutes=5)


def test_given_an_empty_object_then_it_is_there(store: Store, objects: ObjectStore, key: str) -> None:
    part = store.put(key, b"")

    assert store.read(key) == (b"", part.etag)
    assert objects.facts(key) == ObjectFacts(0, sha256(b""))


def test_given_no_object_then_it_is_missing_and_no_error(store: Store, objects: ObjectStore, key: str) -> None:
    store.put(f"{key}.gz", b"a longer key")

    assert (store.read(key), store.get_json(key), store.facts(key)) == (None, None, None)
    assert (objects.read(key), objects.facts(key), objects.version(key)) == (None, None, None)
    assert (store.keys(f"{key}/"), objects.keys(f"{key}/"), objects.folders(f"{key}/")) == ([], (), ())


def test_given_an_object_that_is_written_again_then_the_last_one_counts(store: Store, key: str) -> None:
    first, second = store.put(key, b"first"), store.put(key, b"second, longer")

    assert first.etag != second.etag
    assert store.read(key) == (b"second, longer", second.etag)
    assert store.facts(key) == (14, sha256(b"second, longer"))


@pytest.mark.parametrize("name", NAMES)
def test_given_a_hostile_name_then_it_is_the_key(store: Store, objects: ObjectStore, prefix: str, name: str) -> None:
    key = f"{prefix}{name}/{name}"
    store.put(key, name.encode())

    found = objects.read(key)
    assert found is not None
    assert found.body == name.encode()
    assert store.keys(f"{prefix}{name}/{name[:1]}") == [key]
    assert objects.keys(prefix) == (key,)
    assert objects.folders(prefix) == (f"{prefix}{name}/",)


def test_given_a_backslash_in_a_name_then_it_is_in_the_key(store: Store, prefix: str) -> None:
    part = store.put(f"{prefix}a\\b", BODY)
    assert store.read(f"{prefix}a\\b") == (BODY, part.etag)
    assert store.keys(prefix) == [f"{prefix}a\\b"]


def test_given_many_keys_then_they_are_in_the_order_of_their_bytes(
    store: Store, objects: ObjectStore, prefix: str
) -> None:
    names = ["a", "a!", "a%", "a-b", "a.b", "a/b", "a/c", "a0", "aa", "B", "z", "é", "漢", "😀"]
    for name in names:
        store.put(f"{prefix}{name}", b"x")

    expected = sorted((f"{prefix}{name}" for name in names), key=str.encode)
    assert store.keys(prefix) == expected
    assert list(objects.keys(prefix)) == expected
    assert store.keys(f"{prefix}a/") == [f"{prefix}a/b", f"{prefix}a/c"]
    assert objects.folders(prefix) == (f"{prefix}a/",)


def test_given_more_keys_than_a_page_then_the_engine_lists_all_of_them_and_the_functions_the_first_thousand(
    store: Store, objects: ObjectStore, prefix: str
) -> None:
    expected = [f"{prefix}{number:04}" for number in range(1001)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put(key, b"x"), expected))

    assert store.keys(prefix) == expected
    assert list(objects.keys(prefix)) == expected[:1000]
