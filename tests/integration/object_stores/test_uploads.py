"""Multipart uploads with a checksum on each part, as the engine makes them.

AWS documented: a part is overwritten by a later one of the same number; an upload that was aborted or completed is
known no more. https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

AWS documented: an object of parts has the checksum of their checksums, called composite.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

import gzip
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from export_runtime.store import ObjectFacts, ObjectStore
from metadata_export.chunk import ChunkResult
from metadata_export.compress import compressed
from metadata_export.errors import StorageError, TransientStorageError
from metadata_export.object_upload import ObjectUpload
from metadata_export.parts import MINIMUM_PART_BYTES, Part, composite_checksum, sha256_base64
from metadata_export.storage import Store

from tests.integration.object_stores.conftest import unfinished

pytestmark = pytest.mark.on_aws
NOISE = random.Random(1).randbytes(MINIMUM_PART_BYTES)  # noqa: S311 - no secret
PART, OTHER, LAST = NOISE, NOISE[::-1], b"a last part may be small"
HEADER = b"id,note\n"


def upload(store: Store, key: str, upload_id: str, bodies: dict[int, bytes]) -> list[Part]:
    """Upload parts by their numbers, in the order given; return them in the order of their numbers."""
    made = [
        store.upload_part(key, upload_id, number, body, len(body), sha256_base64(body))
        for number, body in bodies.items()
    ]
    return sorted(made, key=lambda part: part.number)


def begun(store: Store, key: str, bodies: dict[int, bytes]) -> tuple[str, list[Part]]:
    """Begin an upload of parts."""
    upload_id = store.create_upload(key)
    return upload_id, upload(store, key, upload_id, bodies)


@pytest.mark.parametrize(
    "bodies",
    [{1: LAST}, {1: PART, 2: LAST}, {3: LAST, 1: PART, 2: OTHER}, {1: PART, 2: OTHER}],
    ids=["one small", "last small", "any order", "no small"],
)
def test_given_parts_then_the_object_is_made_of_them_and_has_their_checksum(
    store: Store, objects: ObjectStore, key: str, bodies: dict[int, bytes]
) -> None:
    upload_id, parts = begun(store, key, bodies)
    assert store.read(key) is None

    store.complete_upload(key, upload_id, parts)

    body = b"".join(bodies[number] for number in sorted(bodies))
    found = objects.read(key)
    assert found is not None
    assert found.body == body
    assert store.facts(key) == (len(body), composite_checksum(parts))
    assert objects.facts(key) == ObjectFacts(len(body), composite_checksum(parts))
    assert store.s3.head_object(Bucket=store.bucket, Key=key)["ContentType"] == "application/gzip"


def test_given_the_object_then_its_checksum_is_called_composite(store: Store, key: str) -> None:
    store.complete_upload(key, *begun(store, key, {1: LAST}))
    head = store.s3.head_object(Bucket=store.bucket, Key=key, ChecksumMode="ENABLED")
    assert head.get("ChecksumType") == "COMPOSITE"


def test_given_a_part_that_is_repeated_then_the_last_one_counts(store: Store, key: str) -> None:
    upload_id, _ = begun(store, key, {1: PART, 2: LAST})
    again = upload(store, key, upload_id, {1: OTHER, 2: b"again"})

    store.complete_upload(key, upload_id, again)

    assert store.read(key) == (OTHER + b"again", etag(store, key))
    assert store.facts(key) == (len(OTHER) + 5, composite_checksum(again))


def test_given_parts_that_are_not_listed_then_they_are_not_in_the_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART, 2: LAST, 3: b"of an attempt that failed"})

    store.complete_upload(key, upload_id, parts[:2])

    assert store.read(key) == (PART + LAST, etag(store, key))


def test_given_a_part_that_was_damaged_on_the_way_then_it_is_refused_and_may_be_sent_again(
    store: Store, key: str
) -> None:
    upload_id = store.create_upload(key)
    with pytest.raises(TransientStorageError, match="BadDigest"):
        store.upload_part(key, upload_id, 1, LAST, len(LAST), sha256_base64(b"what was meant"))
    store.complete_upload(key, upload_id, upload(store, key, upload_id, {1: LAST}))
    assert store.read(key) == (LAST, etag(store, key))


def test_given_an_object_that_was_damaged_on_the_way_then_it_is_refused(store: Store, key: str) -> None:
    with pytest.raises(ClientError, match="BadDigest"):
        store.s3.put_object(Bucket=store.bucket, Key=key, Body=LAST, ChecksumSHA256=sha256_base64(b"what was meant"))
    assert store.read(key) is None


def test_given_a_small_part_that_is_not_the_last_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART[:-1], 2: LAST})
    refused(store, key, upload_id, parts, "EntityTooSmall")


def test_given_a_gap_in_the_part_numbers_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART, 3: LAST})
    refused(store, key, upload_id, parts, "InvalidPartOrder")


def test_given_part_numbers_that_begin_with_two_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {2: PART, 3: LAST})
    refused(store, key, upload_id, parts, "InvalidPartOrder")


def test_given_parts_out_of_order_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART, 2: LAST})
    refused(store, key, upload_id, parts[::-1], "InvalidPartOrder")


def test_given_a_part_that_is_listed_twice_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART})
    refused(store, key, upload_id, parts * 2, "InvalidPartOrder")


def test_given_no_parts_then_there_is_no_object(store: Store, key: str) -> None:
    refused(store, key, store.create_upload(key), [], "MalformedXML")


def test_given_a_part_that_was_never_uploaded_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART})
    refused(store, key, upload_id, [*parts, replace(parts[0], number=2)], "InvalidPart")


def test_given_a_part_that_was_replaced_since_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART, 2: LAST})
    upload(store, key, upload_id, {2: b"another attempt"})
    refused(store, key, upload_id, parts, "InvalidPart")


def test_given_a_list_that_gives_another_checksum_than_the_part_has_then_there_is_no_object(
    store: Store, key: str
) -> None:
    upload_id, parts = begun(store, key, {1: PART, 2: LAST})
    refused(store, key, upload_id, [parts[0], replace(parts[1], sha256=parts[0].sha256)], "(InvalidPart|BadDigest)")


def test_given_a_list_without_checksums_then_there_is_no_object(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: LAST})
    listed: list[Any] = [{"PartNumber": 1, "ETag": parts[0].etag}]
    with pytest.raises(ClientError, match="InvalidRequest"):
        store.s3.complete_multipart_upload(
            Bucket=store.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
        )
    assert store.read(key) is None


def test_given_an_upload_that_was_aborted_then_nothing_is_left_of_it(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: LAST})
    store.abort_upload(key, upload_id)
    store.abort_upload(key, upload_id)

    assert unfinished(store, key) == []
    with pytest.raises(StorageError, match="NoSuchUpload"):
        store.upload_part(key, upload_id, 1, LAST, len(LAST), sha256_base64(LAST))
    refused(store, key, upload_id, parts, "NoSuchUpload")


def test_given_an_upload_over_an_object_then_the_object_stays_until_the_completion(store: Store, key: str) -> None:
    part = store.put(key, b"of an earlier attempt")
    upload_id, parts = begun(store, key, {1: LAST})
    assert store.read(key) == (b"of an earlier attempt", part.etag)
    store.complete_upload(key, upload_id, parts)
    assert store.read(key) == (LAST, etag(store, key))


def test_given_a_completion_that_is_repeated_then_the_object_is_believed(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: PART, 2: LAST})
    for _ in range(2):
        store.complete_upload(key, upload_id, parts)
    assert store.facts(key) == (len(PART + LAST), composite_checksum(parts))


def test_given_a_completion_that_is_repeated_when_something_else_is_there_then_it_fails(store: Store, key: str) -> None:
    upload_id, parts = begun(store, key, {1: LAST})
    store.complete_upload(key, upload_id, parts)
    store.put(key, b"of another export")
    with pytest.raises(StorageError, match="NoSuchUpload"):
        store.complete_upload(key, upload_id, parts)
    assert store.read(key) == (b"of another export", etag(store, key))


def test_given_unfinished_uploads_then_those_of_some_keys_are_aborted(store: Store, prefix: str) -> None:
    keys = [f"{prefix}{name}" for name in ("a", "a", "a%2Fb", "a/b", "b")]
    for key in keys:
        begun(store, key, {1: LAST})
    store.complete_upload(f"{prefix}done", *begun(store, f"{prefix}done", {1: LAST}))

    assert store.abort_uploads(prefix, {f"{prefix}a", f"{prefix}a%2Fb", f"{prefix}done", f"{prefix}nothing"}) == 3

    assert sorted(unfinished(store, prefix)) == [f"{prefix}a/b", f"{prefix}b"]
    assert store.keys(prefix) == [f"{prefix}done"]


def test_given_a_table_of_few_rows_then_its_upload_ends_as_one_piece(
    store: Store, objects: ObjectStore, key: str
) -> None:
    made = ObjectUpload(store, key, HEADER)
    _, numbers = made.begin_chunk(alone=False)
    row = compressed(HEADER + b"1,few\n")
    made.end_chunk(0, numbers, ChunkResult(1, 6, (), row))

    done = made.complete()

    assert objects.facts(key) == ObjectFacts(done.object_bytes, done.checksum_sha256)
    assert done.part_sizes == (len(row),)
    assert unfinished(store, key) == []


def test_given_chunks_of_several_threads_then_the_object_is_what_the_manifest_says(
    rivals: list[Store], store: Store, objects: ObjectStore, key: str
) -> None:
    made = ObjectUpload(store, key, HEADER)

    def chunk(index: int) -> None:
        upload_id, numbers = made.begin_chunk(alone=False)
        rows = (HEADER if numbers[0] == 1 else b"") + b"%d,%s\n" % (index, NOISE.hex().encode())
        body = compressed(rows)
        parts = () if index == 1 else tuple(upload(rivals[index], key, upload_id, {numbers[0]: body}))
        leftover = compressed((HEADER if numbers[0] == 1 else b"") + b"1,few\n") if index == 1 else b""
        made.end_chunk(index, numbers, ChunkResult(1, len(rows), parts, leftover))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(chunk, range(3)))
    assert made.release_held() is None
    done = made.complete()

    found = objects.read(key)
    assert found is not None
    header, *rows = gzip.decompress(found.body).splitlines()
    assert (header + b"\n", sorted(row[:2] for row in rows)) == (HEADER, [b"0,", b"1,", b"2,"])
    assert objects.facts(key) == ObjectFacts(done.object_bytes, done.checksum_sha256)
    assert sum(done.part_sizes) == len(found.body)


def refused(store: Store, key: str, upload_id: str, parts: Sequence[Part], code: str) -> None:
    """Complete an upload, and see that S3 refuses it by this code and makes nothing."""
    with pytest.raises(StorageError, match=f"cannot complete the upload of .*{code}\\b"):
        store.complete_upload(key, upload_id, parts)
    assert store.read(key) is None


def etag(store: Store, key: str) -> str:
    return store.s3.head_object(Bucket=store.bucket, Key=key)["ETag"]
