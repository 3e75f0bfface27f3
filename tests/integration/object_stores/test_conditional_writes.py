"""Who writes on a condition wins alone: the lock and the pointer of an export stand on it.

AWS documented: of several writers with a condition on the same key the first to finish wins, the others are refused.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from export_runtime.store import ObjectStore
from metadata_export.storage import Store

pytestmark = pytest.mark.on_aws


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}latest.json"


def test_given_a_free_key_then_the_first_of_two_clients_has_it(store: Store, objects: ObjectStore, key: str) -> None:

    assert store.put_json_if_absent(key, {"by": "engine"})
    assert not store.put_json_if_absent(key, {"by": "engine again"})
    assert not objects.write_if_unchanged(key, b'{"by": "function"}', None)
    assert store.get_json(key) == {"by": "engine"}


def test_given_a_version_that_both_have_seen_then_the_first_to_write_wins(
    store: Store, objects: ObjectStore, key: str
) -> None:
    assert objects.write_if_unchanged(key, b'{"by": "nobody"}', None)
    seen, (_, etag) = objects.read(key), store.read(key) or (b"", "")

    assert store.put_json_if_same(key, {"by": "engine"}, etag)
    assert not objects.write_if_unchanged(key, b'{"by": "function"}', seen)
    assert not store.put_json_if_same(key, {"by": "engine again"}, etag)
    assert store.get_json(key) == {"by": "engine"}


def test_given_a_version_that_was_only_looked_at_then_it_is_a_condition_too(objects: ObjectStore, key: str) -> None:
    objects.write(key, b'{"by": "nobody"}', "application/json")
    version = objects.version(key)

    assert objects.write_if_unchanged(key, b'{"by": "first"}', version)
    assert not objects.write_if_unchanged(key, b'{"by": "second"}', version)


def test_given_an_object_that_was_deleted_since_then_the_write_is_lost(
    store: Store, objects: ObjectStore, key: str
) -> None:
    part = store.put(key, b"{}")
    seen = objects.read(key)
    store.s3.delete_object(Bucket=store.bucket, Key=key)

    assert not store.put_json_if_same(key, {"by": "engine"}, part.etag)
    assert not objects.write_if_unchanged(key, b"{}", seen)
    assert store.read(key) is None
    assert store.put_json_if_absent(key, {"by": "engine"})


def test_given_the_same_content_again_then_the_condition_still_holds(store: Store, key: str) -> None:
    """The ETag says what is there, not when it was written."""
    first = store.put(key, b"{}")
    assert store.put(key, b"{}").etag == first.etag
    assert store.put_json_if_same(key, 1, first.etag)


def test_given_a_lost_write_then_later_ones_are_unconditional(store: Store, key: str) -> None:
    store.put_json(key, 1)
    assert not store.put_json_if_same(key, 2, '"0123456789abcdef0123456789abcdef"')
    store.put_json(key, 3)
    assert store.get_json(key) == 3


def test_given_rivals_for_a_free_key_then_one_has_it(rivals: list[Store], prefix: str) -> None:
    for key in (f"{prefix}{attempt}" for attempt in range(2)):
        won = at_once(rivals, lambda store, rival, key=key: store.put_json_if_absent(key, rival))
        assert len(won) == 1
        assert rivals[0].get_json(key) == won[0]


def test_given_rivals_that_have_seen_the_same_then_one_of_them_writes(rivals: list[Store], prefix: str) -> None:
    for key in (f"{prefix}{attempt}" for attempt in range(2)):
        etag = rivals[0].put(key, b"{}").etag
        won = at_once(rivals, lambda store, rival, key=key, etag=etag: store.put_json_if_same(key, rival, etag))
        assert len(won) == 1
        assert rivals[0].get_json(key) == won[0]


def at_once(rivals: Sequence[Store], attempt: Callable[[Store, int], bool]) -> list[int]:
    """Let rivals try the same at the same moment; return those that were told that they have written."""
    start = threading.Barrier(len(rivals))

    def one(rival: int) -> bool:
        start.wait()
        return attempt(rivals[rival], rival)

    with ThreadPoolExecutor(len(rivals)) as threads:
        answers = list(threads.map(one, range(len(rivals))))
    return [rival for rival, won in enumerate(answers) if won]
