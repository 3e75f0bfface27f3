"""Whatever chunks come to and in whatever order they end: S3's rules are kept, and the first gzip member holds rows."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal, cast

import pytest
from metadata_export.chunk import OVERFLOW, ChunkResult
from metadata_export.compress import compressed, padded
from metadata_export.content import sum_of_rows
from metadata_export.object_upload import ObjectUpload, UploadedObject
from metadata_export.parts import Part, composite_checksum, sha256_base64
from metadata_export.storage import Store

HEADER = b"id\n"
MINIMUM, LEFTOVERS = 200, 260  # instead of 5 and 8 MiB
Kind = Literal["none", "few", "part", "large"]
KINDS: tuple[Kind, ...] = ("none", "few", "part", "large")
ROWS = {"none": 0, "few": 1, "part": 1, "large": 3}


@dataclass
class StrictStore:
    """A store of one object that refuses what S3 refuses."""

    bucket: str = "exports"
    parts: dict[int, bytes] = field(default_factory=dict)
    body: bytes = b""
    checksum: str = ""

    def create_upload(self, key: str) -> str:
        return f"upload of {key}"

    def abort_upload(self, key: str, upload_id: str) -> None:
        self.parts.clear()

    def put(self, key: str, body: bytes) -> Part:
        self.body, self.checksum = body, sha256_base64(body)
        return Part(1, len(body), "etag", self.checksum)

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes, size: int, checksum: str) -> Part:
        self.parts[number] = body
        return Part(number, size, "etag", checksum)

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        assert all(part.size >= MINIMUM for part in parts[:-1])
        assert [part.sha256 for part in parts] == [sha256_base64(self.parts[part.number]) for part in parts]
        self.body = b"".join(self.parts[part.number] for part in parts)
        self.checksum = composite_checksum(parts)


def run(store: StrictStore, numbers: tuple[int, ...], kind: Kind, row: bytes) -> ChunkResult:
    """Do what a task does, with bytes that are as many as its kind says."""

    def part(number: int) -> Part:
        body = padded(compressed((HEADER if number == 1 else b"") + row), MINIMUM)
        return store.upload_part("key", "id", number, body, len(body), sha256_base64(body))

    if kind == "none":
        return ChunkResult(0, 0, (), b"")
    if kind == "few":
        leftover = padded(compressed((HEADER if numbers[0] == 1 else b"") + row), MINIMUM - 60)
        return ChunkResult(1, len(row), (), leftover, sum_of_rows([row]))
    if kind == "part":
        return ChunkResult(1, len(row), (part(numbers[0]),), b"", sum_of_rows([row]))
    if len(numbers) == 1:
        return OVERFLOW
    return ChunkResult(3, 3 * len(row), tuple(part(number) for number in numbers[:3]), b"", sum_of_rows([row] * 3))


def export(store: StrictStore, kinds: Sequence[Kind], at_a_time: int, ends: int) -> UploadedObject:
    """Do what the driver does: so many chunks at a time, the first (0) or the last (-1) begun of which ends first."""
    upload = ObjectUpload(cast(Store, store), "key", HEADER)
    waiting, under_way = list(range(len(kinds))), list[tuple[int, tuple[int, ...]]]()

    def end(index: int, numbers: tuple[int, ...]) -> None:
        upload.end_chunk(index, numbers, run(store, numbers, kinds[index], b"%d\n" % index))

    while waiting or under_way:
        while waiting and len(under_way) < at_a_time:
            under_way.append((waiting.pop(0), upload.begin_chunk(alone=len(kinds) == 1)[1]))
        end(*under_way.pop(ends))
    for index in upload.overflowed:
        end(index, upload.begin_chunk(alone=True)[1])
    held = upload.release_held()
    if held is not None:
        end(held, upload.begin_chunk(alone=True)[1])
    return upload.complete()


@pytest.mark.parametrize("ends", [0, -1], ids=["first in first out", "last in first out"])
@pytest.mark.parametrize("at_a_time", [1, 2, 4])
@pytest.mark.parametrize("chunks", [1, 2, 3, 4])
def test_given_any_chunks_then_the_object_is_one_that_s3_takes_and_begins_with_the_header_and_rows(
    monkeypatch: pytest.MonkeyPatch, chunks: int, at_a_time: int, ends: int
) -> None:
    monkeypatch.setattr("metadata_export.object_upload.MINIMUM_PART_BYTES", MINIMUM)
    monkeypatch.setattr("metadata_export.object_upload.LEFTOVER_BYTES", LEFTOVERS)
    for kinds in product(KINDS, repeat=chunks):
        store = StrictStore()
        check(store, export(store, kinds, at_a_time, ends), kinds)


def check(store: StrictStore, uploaded: UploadedObject, kinds: Sequence[Kind]) -> None:
    """Hold the object to the chunks, and what the manifest says of it to the object."""
    rows = sorted(b"%d" % index for index, kind in enumerate(kinds) for _ in range(ROWS[kind]))
    header, *lines = gzip.decompress(store.body).splitlines()
    assert header == HEADER.strip()
    assert sorted(lines) == rows, kinds
    assert len(zlib.decompressobj(31).decompress(store.body).splitlines()) >= min(2, 1 + len(rows)), kinds
    assert uploaded.rows == len(rows)
    assert uploaded.content == sum_of_rows(line + b"\n" for line in lines)
    assert uploaded.csv_bytes == len(gzip.decompress(store.body))
    assert sum(uploaded.part_sizes) == uploaded.object_bytes == len(store.body)
    assert uploaded.checksum_sha256 == store.checksum
