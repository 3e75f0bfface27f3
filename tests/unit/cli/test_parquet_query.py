"""`query` over the Parquet files of an export: the same values, only the ranges that are needed, and from the cache."""

import io
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from export_contracts.parquet import ParquetColumn, ParquetFile, ParquetFiles
from export_contracts.summary import Summary
from pyarrow import parquet

from export_cli.query.ranges import BLOCK, RangedObject
from tests.documents import stored
from tests.unit.cli.made import BUCKET, LAYOUT, Made, digest
from tests.unit.cli.test_query import RUNS, TYPES, ask, export  # noqa: F401

KINDS = {
    "bigint": ("bigint", pa.int64(), int),
    "integer": ("int", pa.int32(), int),
    "timestamp with time zone": ("timestamp", pa.timestamp("us", "UTC"), None),
    "boolean": ("boolean", pa.bool_(), lambda value: value == "t"),
    "double precision": ("double", pa.float64(), float),
    "bytea": ("binary", pa.binary(), lambda value: bytes.fromhex(value[2:])),
}
SQL = "SELECT * EXCLUDE export_id FROM dag_run ORDER BY id"


def add_parquet(
    made: Made, summary: Summary, table: str, rows: Any, renamed: dict[str, str], parts: int = 2, **options: Any
) -> Summary:
    """Write a table's rows as Parquet too, as the Glue job does, and the summary that tells of it.

    Args:
        renamed: columns whose type has changed -> the name of their text.
    """
    names, records = rows[0], rows[1:]
    columns, types = [], [column.type for column in summary.details[table].columns]
    arrays: dict[str, pa.Array] = {}
    for place, (name, kind) in enumerate(zip(names, types, strict=True)):
        hive, arrow, convert = KINDS.get(kind, ("string", pa.string(), str))
        if name in renamed:
            hive, arrow, convert = "string", pa.string(), str
        columns.append(ParquetColumn(renamed.get(name, name), hive, name))
        values = [record[place] for record in records]
        texts = pa.array(values, pa.string())
        arrays[renamed.get(name, name)] = (
            texts.cast(arrow) if convert is None
            else pa.array([None if value is None else convert(value) for value in values], arrow)
        )  # fmt: skip
    whole, files = pa.table(arrays), []
    for part in range(parts):
        piece = whole.slice(
            part * len(records) // parts, (part + 1) * len(records) // parts - part * len(records) // parts
        )
        body = io.BytesIO()
        parquet.write_table(piece, body, compression="zstd", **options)
        key = f"{LAYOUT.root}/parquet/{table}/export_id={summary.export_id}/part-{part}.parquet"
        content = body.getvalue()
        made.s3.put_object(Bucket=BUCKET, Key=key, Body=content, ChecksumAlgorithm="SHA256")
        files.append(ParquetFile(key, piece.num_rows, len(content), digest(content)))
    entry = replace(summary.details[table], parquet=ParquetFiles(tuple(columns), tuple(files), {}))
    changed = replace(summary, details={**summary.details, table: entry})
    made.put(LAYOUT.summary_key(summary.started), stored(changed))
    return changed


@pytest.fixture
def both(export: Callable[..., Summary], made: Made, ask: Callable[..., Any]) -> Summary:  # noqa: F811
    """Make an export, ask it over CSV, and add Parquet."""
    return add_parquet(made, export(), "dag_run", RUNS, {"conf": "conf_bytea"})


def test_given_parquet_then_every_value_is_what_it_is_over_csv(
    export: Callable[..., Summary], made: Made, ask: Callable[..., Any], tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    summary = export()
    expected = ask(SQL, "--json", "--cache", str(tmp_path / "other")).json
    changed = add_parquet(made, summary, "dag_run", RUNS, {"conf": "conf_text"})
    made.s3.delete_object(Bucket=BUCKET, Key=changed.details["dag_run"].key)
    answer = ask(SQL, "--json")
    assert (answer.code, answer.err, answer.json) == (0, "", expected)
    assert ask(SQL, "--json", "--offline").json == expected


def test_given_old_exports_without_parquet_then_the_history_has_both(
    export: Callable[..., Summary], made: Made, ask: Callable[..., Any]  # noqa: F811
) -> None:  # fmt: skip
    export(30, [RUNS[0], ["9", *RUNS[1][1:]]])
    add_parquet(made, export(3), "dag_run", RUNS, {})
    answer = ask("SELECT id, conf FROM dag_run ORDER BY id", "--json", "--history").json
    assert [row["id"] for row in answer] == [1, 2, 3, 9]
    assert {row["conf"] for row in answer} == {"\\x00ff", "\\x", None}


def test_given_one_column_then_only_its_ranges_are_read(
    made: Made, export: Callable[..., Summary], ask: Callable[..., Any], tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    noise = random.Random(1)  # noqa: S311 - compresses to half
    rows = [["id", "note"], *([str(number), noise.randbytes(1500).hex()] for number in range(3000))]
    changed = add_parquet(made, export(3, rows, ["integer", "text"]), "dag_run", rows, {}, 1, use_dictionary=False)
    [file] = changed.details["dag_run"].parquet.files  # type: ignore[union-attr]
    ids = ask("SELECT sum(id) AS n FROM dag_run", "--json")
    assert ids.json == [{"n": 2999 * 1500}]
    kept = sum(path.stat().st_size for path in (tmp_path / "cache" / "data").rglob("*") if path.is_file())
    assert 0 < kept < file.object_bytes / 2
    assert ask("SELECT max(length(note)) AS n FROM dag_run", "--json").json == [{"n": 3000}]


def test_given_a_kept_block_that_is_not_whole_then_it_is_read_anew(
    both: Summary, ask: Callable[..., Any], tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    expected = ask(SQL, "--json").json
    for block in (tmp_path / "cache" / "data" / "parquet").rglob("0"):
        block.write_bytes(block.read_bytes()[:200])
    assert ask(SQL, "--json", "--offline").code == 4
    assert ask(SQL, "--json").json == expected


@pytest.mark.parametrize("what", ["gone", "replaced"])
def test_given_an_object_that_is_not_the_summarys_then_no_row_of_it_is_shown(
    both: Summary, made: Made, ask: Callable[..., Any], what: str  # noqa: F811
) -> None:  # fmt: skip
    key = both.details["dag_run"].parquet.files[0].key  # type: ignore[union-attr]
    if what == "gone":
        made.s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        made.s3.put_object(Bucket=BUCKET, Key=key, Body=made.body(key)[::-1], ChecksumAlgorithm="SHA256")
    answer = ask(SQL)
    told = {"gone": (4, "does not exist any more"), "replaced": (1, "is not what the summary says")}
    assert (answer.code, answer.out) == (told[what][0], "")
    assert told[what][1] in answer.err


class Counting:
    """A client that counts what it is asked for."""

    def __init__(self, body: bytes) -> None:
        self.body, self.ranges = body, list[tuple[int, int]]()

    def head_object(self, **_: Any) -> dict[str, Any]:
        return {"ETag": "e", "ContentLength": len(self.body)}

    def get_object(self, Range: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS' name
        start, end = map(int, Range.removeprefix("bytes=").split("-"))
        self.ranges.append((start, end + 1))
        return {"Body": io.BytesIO(self.body[start : end + 1])}


def test_given_reads_then_blocks_that_follow_each_other_are_one_request_and_none_is_read_twice(tmp_path: Path) -> None:
    from export_cli.query.bucket import Bucket
    from export_cli.query.cache import Cache

    body = bytes(number % 251 for number in range(5 * BLOCK + 17))
    client = Counting(body)
    file = ParquetFile("k", 1, len(body), digest(body))
    ranged = RangedObject(Cache(tmp_path, 0), Bucket(client, "b"), file)
    with ranged.open() as opened:
        opened.seek(2 * BLOCK + 5)
        assert opened.read(10) == body[2 * BLOCK + 5 :][:10]
        opened.seek(-4, io.SEEK_END)
        assert opened.read() == body[-4:]
        opened.seek(0)
        assert opened.read() == body
        assert opened.read(9) == b""
    assert client.ranges == [
        (2 * BLOCK, 3 * BLOCK), (5 * BLOCK, len(body)), (0, 2 * BLOCK), (3 * BLOCK, 5 * BLOCK),
    ]  # fmt: skip
