"""`verify`: sound exports pass, and every kind of damage is found and named."""

import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from export_contracts.exported_table import Column, ExportedTable
from export_contracts.summary import Summary
from hypothesis import given
from hypothesis import strategies as st

from export_cli.verification import Digest, verify_table
from tests.documents import table
from tests.unit.cli.made import BUCKET, HOSTILE, composite, csv_bytes, digest


def entry_of(data: bytes, rows: int, columns: list[str], **changes: Any) -> ExportedTable:
    """Return what the summary says of an object in one part."""
    made = table(
        rows=rows,
        object_bytes=len(data),
        checksum_sha256=digest(data),
        part_sizes=(len(data),),
        columns=tuple(Column(name, "text") for name in columns),
    )
    return replace(made, **changes)


def problems(data: bytes, rows: int, columns: list[str], **changes: Any) -> list[str]:
    """Return what is wrong with an object."""
    found = verify_table("t", entry_of(data, rows, columns, **changes), io.BytesIO(data), None, lambda _: None)
    return list(found.problems)


def test_given_a_sound_export_then_it_passes(made, run):
    made.export()
    result = run("verify")
    assert result.code == 0
    assert "3 objects" in result.out
    assert "2,002 rows read; all as the summary says" in result.out
    assert run("verify", "--json").json["sound"] is True


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"CREATe", "has SHA-256 "), (b"CREATE ", "has 7 bytes, the summary says 6"), (None, "does not exist")],
    ids=["another content", "another size", "missing"],
)
def test_given_a_schema_then_its_object_is_checked_too(made, run, body, said):
    schema = made.export(schema=b"CREATE").schema
    assert run("verify", "--json").json["schema"] == {"key": schema.key, "object_bytes": 6, "problems": []}
    if body is None:
        made.s3.delete_object(Bucket=BUCKET, Key=schema.key)
    else:
        made.put(schema.key, body)
    found = run("verify", "--json")
    assert (found.code, found.json["sound"]) == (1, False)
    assert said in found.json["schema"]["problems"][0]
    assert run("verify", "--table", "dag").code == 0


def test_given_an_incomplete_export_then_it_is_not_sound_though_its_objects_are(made, run):
    made.export(status="INCOMPLETE")
    result = run("verify", "newest")
    assert result.code == 1
    assert "the export itself is INCOMPLETE" in result.out


def flipped(data: bytes) -> bytes:
    """Return data with one bit flipped in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (flipped, "SHA-256"),
        (lambda data: data[:-1], "bytes, the summary says"),
        (lambda data: b"", "has 0 bytes"),
        (lambda data: data + b"x", "is not readable as gzip"),
        (lambda data: gzip.compress(b'id,state\n1,"open\n', mtime=0), "is not readable as CSV"),
    ],
    ids=["a bit", "truncated", "empty", "something behind", "an open quote"],
)
def test_given_a_damaged_object_then_it_is_found_and_named(made, run, damage, words):
    key = made.export().details["dag_run"].key
    made.put(key, damage(made.body(key)))
    result = run("verify", "--json")
    assert result.code == 1
    tables = result.json["tables"]
    assert words in "; ".join(tables["dag_run"]["problems"])
    assert (tables["dag"]["problems"], tables["slot_pool"]["problems"]) == ([], [])
    assert "dag_run" in run("verify").out


def test_given_a_missing_object_then_it_is_found(made, run):
    key = made.export().details["dag"].key
    made.s3.delete_object(Bucket=BUCKET, Key=key)
    assert run("verify", "--json").json["tables"]["dag"]["problems"] == ["does not exist"]


def test_given_a_key_elsewhere_then_it_is_not_read(made, run):
    details = made.export(latest=False).details
    elsewhere = replace(details["dag"], key=f"other/{HOSTILE}")
    made.export(timedelta(hours=3), details={**details, "dag": elsewhere})
    result = run("verify", "--json")
    assert "expected was exports/prod-backups/" in result.json["tables"]["dag"]["problems"][0]
    assert "\x1b" not in run("verify").out


def test_given_a_table_then_only_it_is_read(made, run):
    made.export()
    assert list(run("verify", "-t", "dag", "--json").json["tables"]) == ["dag"]
    assert run("verify", "-t", "nope").code == 2


def test_given_download_then_what_is_sound_is_kept_with_the_summary(made, run, tmp_path: Path):
    summary = made.export()
    made.put(summary.details["dag"].key, b"damaged")
    assert run("verify", "--download", str(tmp_path / "kept")).code == 1
    kept = {file.name for file in (tmp_path / "kept").iterdir()}
    stamp = summary.export_id[9:15]
    assert kept == {f"dag_run_{stamp}.csv.gz", f"slot_pool_{stamp}.csv.gz", f"export_summary_{stamp}.json.gz"}
    assert gzip.decompress((tmp_path / "kept" / f"slot_pool_{stamp}.csv.gz").read_bytes()) == b"id\n"
    assert Summary.from_bytes((tmp_path / "kept" / f"export_summary_{stamp}.json.gz").read_bytes()) == summary


def test_given_download_and_nothing_that_can_be_kept_then_the_verdict_comes_all_the_same(made, run, tmp_path: Path):
    for entry in made.export().details.values():
        made.s3.delete_object(Bucket=BUCKET, Key=entry.key)
    result = run("verify", "--download", str(tmp_path / "kept"))
    assert result.code == 1
    assert "does not exist" in result.out


def test_given_a_folder_that_cannot_be_written_then_it_is_a_wrong_option(made, run, tmp_path: Path):
    made.export()
    (tmp_path / "file").write_text("")
    result = run("verify", "--download", str(tmp_path / "file" / "kept"))
    assert result.code == 2
    assert "cannot write there" in result.err


@pytest.mark.parametrize(
    ("text", "rows", "columns", "words"),
    [
        (b"a,b\n1,2\n", 2, ["a", "b"], "has 1 rows, the summary says 2"),
        (b"a,b\n1,2,3\n", 1, ["a", "b"], "row 1 has 3 fields, the header 2"),
        (b"a,b\n\n", 1, ["a", "b"], "row 1 has 0 fields"),
        (b"a,c\n", 0, ["a", "b"], "has the header ['a', 'c']"),
        (b"", 0, ["a"], "has the header None"),
        (b"a\n\xff\n", 1, ["a"], "is not readable as CSV"),
        (b'a\n"x"y\n', 1, ["a"], "is not readable as CSV"),
    ],
    ids=["rows", "fields", "an empty line", "header", "no header", "not UTF-8", "quoting"],
)
def test_given_content_that_differs_then_it_is_named(text, rows, columns, words):
    [problem] = problems(gzip.compress(text, mtime=0), rows, columns)
    assert words in problem


@pytest.mark.parametrize(
    "text", [b"a\n\n\n", b"a\n1\n2", b'a\n""\n\n'], ids=["NULLs", "no newline at the end", "empty and NULL"]
)
def test_given_one_column_then_an_empty_line_is_a_null(text):
    assert problems(gzip.compress(text, mtime=0), 2, ["a"]) == []


def test_given_a_value_of_many_megabytes_then_it_is_read():
    data = gzip.compress(csv_bytes([["a"], ["x\n" * 3_000_000]]), mtime=0)
    assert problems(data, 1, ["a"]) == []


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=4), step=st.integers(1, 70))
def test_given_any_parts_and_any_reads_then_the_digest_is_that_of_s3(data: bytes, cuts: list[int], step: int):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[begin:end] for begin, end in pairwise(edges)]
    parts = [part for part in parts if part] or [b""]
    whole = Digest([len(part) for part in parts], composite=True)
    for begin in range(0, len(data), step):
        whole.update(data[begin : begin + step])
    assert whole.checksum() == composite(parts)
    assert whole.size == len(data)


@given(
    records=st.lists(
        st.lists(
            st.one_of(st.none(), st.text(st.characters(exclude_characters="\x00", codec="utf-8"))),
            min_size=2,
            max_size=2,
        )
    )
)
def test_given_any_values_then_the_rows_are_counted(records: list[list[str | None]]):
    data = gzip.compress(csv_bytes([["a", "b"], *records]), mtime=0)
    assert problems(data, len(records), ["a", "b"]) == []


def test_given_a_stream_then_it_is_read_in_bounded_pieces():
    sizes: list[int] = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    data = gzip.compress(csv_bytes([["a"], *([str(number)] for number in range(300_000))]), compresslevel=0, mtime=0)
    note: Callable[[int], None] = lambda _: None  # noqa: E731
    assert verify_table("t", entry_of(data, 300_000, ["a"]), Stream(data), None, note).problems == ()
    assert 0 < max(sizes) <= 1 << 20
