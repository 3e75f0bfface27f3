import base64
import gzip
import hashlib
import io
import zlib

import pytest
from metadata_export.compress import compressed, gzip_member, padded
from metadata_export.object_upload import ObjectUpload
from metadata_export.parts import MIB, MINIMUM_PART_BYTES, Part, PartNumbers, composite_checksum, sha256_base64
from metadata_export.storage import Store
from metadata_export.task import ChunkResult

HEADER = b"id,value\n"


def chunk(store: Store, upload: ObjectUpload, rows: bytes, filler: int = 0) -> tuple[int, ChunkResult]:
    """Do what a task does with rows: a part when they are enough (with `filler` bytes), else a leftover."""
    upload_id, number = upload.begin_chunk()
    header = compressed(HEADER) if number == 1 else b""
    body = padded(header + compressed(rows), filler)
    count = rows.count(b"\n")
    if len(body) < MINIMUM_PART_BYTES:
        return number, ChunkResult(count, len(rows), None, compressed(rows) if rows else b"")
    part = store.upload_part("key", upload_id, number, body, len(body), sha256_base64(body))
    return number, ChunkResult(count, len(rows), part, b"")


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
    numbers.give_back(3)
    numbers.give_back(1)
    assert numbers.gaps(highest_used=4) == [1, 3]
    assert numbers.gaps(highest_used=2) == [1]
    assert [numbers.take(), numbers.take(), numbers.take()] == [1, 3, 5]


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
    ],
    ids=["nothing", "few rows", "two parts", "head too small", "gap in the middle", "only the last"],
)
@pytest.mark.parametrize("together", [True, False], ids=["at the same time", "one after the other"])
def test_given_chunks_of_any_size_then_s3_takes_the_parts_and_the_rows_are_all_there(
    store: Store, chunks: list[tuple[bytes, int]], together: bool
) -> None:
    # GIVEN chunks that take their numbers before any of them ends, or each after the one before
    upload = ObjectUpload(store, "key", HEADER)
    if together:
        results = [chunk(store, upload, rows, filler) for rows, filler in chunks]
        for number, result in reversed(results):
            upload.end_chunk(number, result)
    else:
        for rows, filler in chunks:
            upload.end_chunk(*chunk(store, upload, rows, filler))

    # WHEN the object is made, by a store that refuses parts under 5 MiB
    uploaded = upload.complete()

    # THEN it is the header, then every row, and its description agrees with S3
    lines = gzip.decompress(stored(store)).splitlines(keepends=True)
    assert lines[0] == HEADER
    assert sorted(lines[1:]) == sorted(rows for rows, _ in chunks if rows)
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
    complete = Store.complete_upload

    def check(self: Store, key: str, upload_id: str, parts: list[Part]) -> None:
        completed.append([part.number for part in parts])
        complete(self, key, upload_id, parts)

    monkeypatch.setattr(Store, "complete_upload", check)
    upload = ObjectUpload(store, "key", HEADER)
    fillers = (0, 6 * MIB, 0, 0, 6 * MIB, 0, 6 * MIB)
    results = [chunk(store, upload, b"x\n", filler) for filler in fillers]
    for number, result in results:
        upload.end_chunk(number, result)
    upload.complete()
    assert completed == [list(range(1, len(completed[0]) + 1))]


def test_given_many_leftovers_then_the_driver_uploads_them_as_it_goes(store: Store) -> None:
    upload = ObjectUpload(store, "key", HEADER)
    incompressible = [b"x" * 10, bytes(range(256)) * 4]
    for number in range(20):
        _, part_number = upload.begin_chunk()
        body = zlib.crc32(incompressible[number % 2]).to_bytes(4, "big") * (MIB // 2)
        leftover = compressed(body)
        padded_leftover = padded(leftover, MIB)  # a mebibyte of gzip, whatever the rows
        upload.end_chunk(part_number, ChunkResult(1, len(body), None, padded_leftover))
        assert len(upload._leftover) < 8 * MIB
    assert len(upload.complete().part_sizes) == 3


def test_given_no_isal_then_zlib_makes_the_same_kind_of_member() -> None:
    member = gzip_member()
    assert gzip.decompress(member.compress(b"abc") + member.flush()) == b"abc"
    standard = zlib.compressobj(1, zlib.DEFLATED, 31)
    assert gzip.decompress(standard.compress(b"abc") + standard.flush()) == b"abc"
