import base64
import gzip
import hashlib
import io
import zlib

import pytest
from metadata_export.chunk import ChunkResult
from metadata_export.compress import compressed, gzip_member, padded
from metadata_export.errors import StorageError
from metadata_export.object_upload import ObjectUpload, UploadedObject
from metadata_export.parts import (
    GIB,
    MAXIMUM_PARTS,
    MIB,
    MINIMUM_PART_BYTES,
    Part,
    PartNumbers,
    composite_checksum,
    part_bytes,
    sha256_base64,
)
from metadata_export.storage import Store

HEADER = b"id,value\n"


def chunk(store: Store, upload: ObjectUpload, rows: bytes, filler: int = 0) -> tuple[tuple[int, ...], ChunkResult]:
    """Do what a task does with rows: a part when they are enough (with `filler` bytes), else a leftover."""
    upload_id, numbers = upload.begin_chunk(alone=False)
    count = rows.count(b"\n")
    if not rows:
        return numbers, ChunkResult(0, 0, (), b"")
    body = padded(compressed((HEADER if numbers[0] == 1 else b"") + rows), filler)
    if len(body) < MINIMUM_PART_BYTES:
        return numbers, ChunkResult(count, len(rows), (), body)
    part = store.upload_part("key", upload_id, numbers[0], body, len(body), sha256_base64(body))
    return numbers, ChunkResult(count, len(rows), (part,), b"")


def complete(store: Store, upload: ObjectUpload, chunks: list[tuple[bytes, int]]) -> UploadedObject:
    """Do what the driver does when all chunks have ended."""
    held = upload.release_held()
    if held is not None:
        upload.end_chunk(held, *chunk(store, upload, *chunks[held]))
    return upload.complete()


def first_member(body: bytes) -> bytes:
    """What a reader sees that stops after the first gzip member."""
    return zlib.decompressobj(31).decompress(body)


def stored(store: Store) -> bytes:
    return bytes(store.s3.get_object(Bucket=store.bucket, Key="key")["Body"].read())


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 5 * MIB], ids=str)
def test_given_a_body_then_padding_reaches_the_minimum_and_changes_no_reader_s_mind(size: int) -> None:
    body = compressed(b"some rows\n")
    result = padded(body, size)
    assert size <= len(result) < max(size, len(body)) + 64
    assert gzip.decompress(result) == b"some rows\n"
    assert gzip.GzipFile(fileobj=io.BytesIO(result + compressed(b"more\n"))).read() == b"some rows\nmore\n"


def test_given_numbers_that_come_back_then_the_lowest_free_one_is_next() -> None:
    numbers = PartNumbers()
    assert [numbers.take() for _ in range(4)] == [1, 2, 3, 4]
    numbers.give_back((3, 1))
    assert numbers.gaps(highest_used=4) == [1, 3]
    assert numbers.gaps(highest_used=2) == [1]
    assert [numbers.take(lowest=2), numbers.take(), numbers.take()] == [3, 1, 5]


def test_given_a_chunk_that_is_alone_then_it_may_have_every_number_that_is_left() -> None:
    numbers = PartNumbers()
    assert [numbers.take() for _ in range(4)] == [1, 2, 3, 4]
    numbers.give_back((2,))
    alone = numbers.take_all()
    assert alone == (2, *range(5, 10_001))
    assert numbers.left() == 0
    numbers.give_back(alone[2:])
    assert numbers.take() == 6


def test_given_part_sizes_then_ten_thousand_parts_hold_what_a_table_may_have_and_each_is_one_that_s3_takes() -> None:
    longest_row = GIB  # and the block before it, and what ends a gzip member
    assert all(part_bytes(number) + longest_row + 2 * MIB < 5 * GIB for number in range(1, 10_001))
    assert sum(map(part_bytes, range(1, 10_001))) > 26 * 1024 * GIB


def test_given_a_part_s_number_then_it_takes_more_the_higher_it_is() -> None:
    numbers = (1, 999, 1000, 1999, 2000, 10_000)
    assert [part_bytes(number) / GIB for number in numbers] == [1, 1, 2, 2, 3, 3]


def test_the_limits_are_those_that_s3_documents() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
    assert (MIB, GIB) == (2**20, 2**30)
    assert MINIMUM_PART_BYTES == 5_242_880
    assert MAXIMUM_PARTS == 10_000


def test_given_parts_then_the_checksum_is_that_of_their_digests() -> None:
    bodies = [b"one", b"two"]
    parts = [Part(number, len(body), "etag", sha256_base64(body)) for number, body in enumerate(bodies, 1)]
    digests = b"".join(hashlib.sha256(body).digest() for body in bodies)
    assert composite_checksum(parts) == base64.b64encode(hashlib.sha256(digests).digest()).decode() + "-2"


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"", 0)],
        [(b"1,a\n", 0)],
        [(b"1,a\n", 6 * MIB), (b"2,b\n", 6 * MIB)],
        [(b"1,a\n", 0), (b"2,b\n", 6 * MIB), (b"3,c\n", 6 * MIB)],
        [(b"1,a\n", 6 * MIB), (b"2,b\n", 0), (b"3,c\n", 6 * MIB), (b"", 0)],
        [(b"", 0), (b"", 0), (b"3,c\n", 6 * MIB)],
        [(b"", 0), (b"2,b\n", 6 * MIB), (b"3,c\n", 6 * MIB)],
        [(b"", 0), (b"2,b\n", 0), (b"3,c\n", 0)],
        [(b"", 0), (b"2,b\n", 0), (b"3,c\n", 4 * MIB), (b"4,d\n", 4 * MIB), (b"5,e\n", 4 * MIB)],
    ],
    ids=["nothing", "few rows", "two parts", "head too small", "gap in the middle", "only the last",
         "none in the first", "few, none in the first", "leftovers, none in the first"],
)  # fmt: skip
@pytest.mark.parametrize("together", [True, False], ids=["at the same time", "one after the other"])
def test_given_chunks_of_any_size_then_s3_takes_the_parts_and_the_rows_are_all_there(
    store: Store, chunks: list[tuple[bytes, int]], together: bool
) -> None:
    # GIVEN chunks that take their numbers before any of them ends, or each after the one before
    upload = ObjectUpload(store, "key", HEADER)
    if together:
        results = [chunk(store, upload, rows, filler) for rows, filler in chunks]
        for index, (numbers, result) in reversed(list(enumerate(results))):
            upload.end_chunk(index, numbers, result)
    else:
        for index, (rows, filler) in enumerate(chunks):
            upload.end_chunk(index, *chunk(store, upload, rows, filler))

    # WHEN the object is made, by a store that refuses parts under 5 MiB
    uploaded = complete(store, upload, chunks)

    # THEN it is the header, then every row, and its description agrees with S3
    lines = gzip.decompress(stored(store)).splitlines(keepends=True)
    assert lines[0] == HEADER
    assert sorted(lines[1:]) == sorted(rows for rows, _ in chunks if rows)
    assert first_member(stored(store)).count(b"\n") >= min(2, len(lines))
    assert uploaded.rows == len(lines) - 1
    assert uploaded.csv_bytes == sum(map(len, lines))
    assert uploaded.object_bytes == sum(uploaded.part_sizes) == len(stored(store))
    head = store.s3.head_object(Bucket=store.bucket, Key="key", ChecksumMode="ENABLED")
    suffix = f"-{len(uploaded.part_sizes)}"  # moto forgets it; the emulated AWS of the integration tests does not
    assert head["ChecksumSHA256"].removesuffix(suffix) == uploaded.checksum_sha256.removesuffix(suffix)
    assert head["ContentType"] == "application/gzip"
    assert "ContentEncoding" not in head


def test_given_any_chunks_then_part_numbers_have_no_gap(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN S3's rule for parts with checksums, which moto does not enforce
    completed: list[list[int]] = []
    complete_upload = Store.complete_upload

    def check(self: Store, key: str, upload_id: str, parts: list[Part]) -> None:
        completed.append([part.number for part in parts])
        complete_upload(self, key, upload_id, parts)

    monkeypatch.setattr(Store, "complete_upload", check)
    upload = ObjectUpload(store, "key", HEADER)
    chunks = [(b"x\n", filler) for filler in (0, 6 * MIB, 0, 0, 6 * MIB, 0, 6 * MIB)]
    results = [chunk(store, upload, *each) for each in chunks]
    for index, (numbers, result) in enumerate(results):
        upload.end_chunk(index, numbers, result)
    complete(store, upload, chunks)
    assert completed == [list(range(1, len(completed[0]) + 1))]


def test_given_many_leftovers_then_the_driver_uploads_them_as_it_goes(store: Store) -> None:
    upload = ObjectUpload(store, "key", HEADER)
    incompressible = [b"x" * 10, bytes(range(256)) * 4]
    for number in range(20):
        _, numbers = upload.begin_chunk(alone=False)
        body = zlib.crc32(incompressible[number % 2]).to_bytes(4, "big") * (MIB // 2)
        leftover = compressed(body)
        padded_leftover = padded(leftover, MIB)  # a mebibyte of gzip, whatever the rows
        upload.end_chunk(number, numbers, ChunkResult(1, len(body), (), padded_leftover))
        assert len(upload._leftover) < 8 * MIB
    assert len(upload.complete().part_sizes) == 3


def test_given_more_rows_than_parts_can_hold_then_the_error_says_what_to_do(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an object that takes three parts, of which two are under way
    monkeypatch.setattr("metadata_export.parts.MAXIMUM_PARTS", 3)
    upload = ObjectUpload(store, "day/log_143022.csv.gz", HEADER)
    begun = [upload.begin_chunk(alone=False)[1] for _ in range(2)]
    overflow = ChunkResult(0, 0, (), b"", overflow=True)

    # WHEN one of them needs more, and then all that are left are too few
    upload.end_chunk(0, begun[0], overflow)
    assert upload.overflowed == [0]
    upload.end_chunk(1, begun[1], ChunkResult(1, 4, (Part(2, 6 * MIB, "etag", sha256_base64(b"")),), b""))
    _, alone = upload.begin_chunk(alone=True)
    assert alone == (1, 3)

    # THEN one line names the object and both ways on
    with pytest.raises(StorageError, match=r"day/log_143022.csv.gz.* more than .* parts .*max_age_in_days.*exclude_t"):
        upload.end_chunk(0, alone, overflow)
    with pytest.raises(StorageError, match="the table needs more"):
        upload.begin_chunk(alone=True)


def test_given_no_isal_then_zlib_makes_the_same_kind_of_member() -> None:
    member = gzip_member()
    assert gzip.decompress(member.compress(b"abc") + member.flush()) == b"abc"
    standard = zlib.compressobj(1, zlib.DEFLATED, 31)
    assert gzip.decompress(standard.compress(b"abc") + standard.flush()) == b"abc"
