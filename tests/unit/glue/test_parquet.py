"""Rows of COPY as Parquet: types, values that no type holds, files. Readers: tests/integration/readers."""

import datetime as dt
import io
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pytest
from metadata_export import parquet_file
from metadata_export.arrow_rows import RowParser
from metadata_export.catalog import Column
from metadata_export.errors import TableError
from metadata_export.parquet_file import ParquetRows
from metadata_export.parquet_target import ParquetTarget
from metadata_export.parquet_types import parquet_columns
from metadata_export.parts import Part
from pyarrow import parquet

UTC = dt.UTC
LATEST = dt.datetime.fromisoformat("9999-12-31T23:59:59.999999")


@dataclass
class Objects:
    """Takes what is put into it."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    def put_file(self, key: str, body: Any, size: int, checksum: str, content_type: str) -> Part:
        self.bodies[key] = body if isinstance(body, bytes) else body.read()
        assert len(self.bodies[key]) == size
        assert content_type == "application/vnd.apache.parquet"
        return Part(1, size, "", checksum)

    def table(self, key: str) -> pa.Table:
        return parquet.read_table(io.BytesIO(self.bodies[key]))


def columns(*types: str, known: dict[str, str] | None = None, name: str = "c{}") -> Any:
    return parquet_columns([Column(name.format(at), kind, False, False) for at, kind in enumerate(types)], known or {})


@pytest.mark.parametrize(
    ("postgresql", "line", "value"),
    [
        ("smallint", b"-32768", -(2**15)),
        ("bigint", b"9223372036854775807", 2**63 - 1),
        ("double precision", b"1e-320", 1e-320),
        ("double precision", b"-Infinity", float("-inf")),
        ("real", b"3.4028235e+38", 3.4028234663852886e38),
        ("boolean", b"f", False),
        ("timestamp(3) with time zone", b"2026-03-01 00:00:00.123+00", dt.datetime(2026, 3, 1, 0, 0, 0, 123000, UTC)),
        ("timestamp with time zone", b"0001-01-01 00:00:00+00", dt.datetime(1, 1, 1, tzinfo=UTC)),
        (
            "timestamp without time zone",
            b"9999-12-31 23:59:59.999999",
            dt.datetime.fromisoformat("9999-12-31T23:59:59.999999"),
        ),
        ("date", b"2026-03-01", dt.date(2026, 3, 1)),
        ("bytea", rb"\x00ff5c78", b"\x00\xff\\x"),
        ("bytea", rb"\x", b""),
        ("numeric(5,2)", b"NaN", "NaN"),
        ("uuid", b"6f9619ff-8b86-d011-b42d-00c04fc964ff", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("jsonb", b"null", "null"),
        ("integer[]", b'"{1,NULL}"', "{1,NULL}"),
        ("character varying(250)", b'""', ""),
        ("text", b"NA", "NA"),
        ("text", '"a\r\n""b"",\\\U0001f600"'.encode(), 'a\r\n"b",\\\U0001f600'),
    ],
)
def test_value_is_what_postgresql_wrote(postgresql: str, line: bytes, value: object) -> None:
    parser = RowParser(columns(postgresql))

    assert parser.parse(line + b"\n\n").column(0).to_pylist() == [value, None]  # an empty line is NULL
    assert not parser.nulled


@pytest.mark.parametrize(
    ("postgresql", "lost", "held"),
    [
        ("timestamp with time zone", b"infinity", b"2026-03-01 00:00:00+00"),
        ("timestamp with time zone", b"4714-11-24 00:00:00+00 BC", b"0001-01-01 00:00:00+00"),
        ("timestamp without time zone", b"10000-01-01 00:00:00", b"9999-12-31 23:59:59.999999"),
        ("date", b"-infinity", b"9999-12-31"),
        ("date", b"5874897-12-31", b"0001-01-01"),
        ("text", b"\xff\xfe", "\U0001f600".encode()),
    ],
)
def test_value_that_no_type_holds_is_null_and_counted(postgresql: str, lost: bytes, held: bytes) -> None:
    parser = RowParser(columns(postgresql, "bytea", "text"))

    first = parser.parse(lost + b',\\x01,""\n' + held + b",,\n,\\x,NA\n")
    parser.parse(lost + b",,\n")

    assert first.column(0).is_valid().to_pylist() == [False, True, False]
    assert first.column(1).to_pylist() == [b"\x01", None, b""]
    assert first.column(2).to_pylist() == ["", None, "NA"]
    assert parser.nulled == {"c0": 2}


def test_type_follows_from_the_type_in_postgresql_and_stays_over_all_exports() -> None:
    def named(*pairs: tuple[str, str], known: dict[str, str]) -> list[tuple[str, str, str]]:
        own = [Column(name, kind, False, False) for name, kind in pairs]
        return [(column.name, column.type, column.source) for column in parquet_columns(own, known)]

    known = {"value": "binary", "id": "int"}

    assert named(("value", "bytea"), ("new", "bigint"), known=known) == [
        ("value", "binary", "value"),
        ("new", "bigint", "new"),
    ]
    changed = [("value_jsonb", "string", "value"), ("id", "int", "id")]
    assert named(("value", "jsonb"), ("id", "integer"), known=known) == changed
    assert named(("value", "jsonb"), ("id", "integer"), known=known | {"value_jsonb": "string"}) == changed
    # Parquet tells a moment from the time on some clock, Hive's word does not.
    clock, moment = "timestamp(6) without time zone", "timestamp with time zone"
    zoned = [("at_timestamp_with_time_zone", "string", "at")]
    assert named(("at", moment), known={"at": "timestamp without time zone"}) == zoned
    assert named(("at", clock), known={"at": "timestamp without time zone"}) == [("at", "timestamp", "at")]
    assert named(("at", clock), known={"at": "timestamp"}) == [("at_timestamp_without_time_zone", "string", "at")]
    # Readers that do not tell capitals, and a name that is taken.
    assert named(("a", "text"), ("A", "date"), ("A_date", "text"), known={}) == [
        ("a", "string", "a"),
        ("A_date_", "string", "A"),
        ("A_date", "string", "A_date"),
    ]


def test_files_hold_all_rows_and_begin_anew_when_they_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "ROW_GROUP_BYTES", 300_000)
    monkeypatch.setattr(parquet_file, "FILE_BYTES", 200_000)
    objects, texts = Objects(), [uuid.uuid4().hex for _ in range(60_000)]

    rows = ParquetRows(objects, ParquetTarget("f/", columns("text"), number=2, step=3))
    for start in range(0, len(texts), 10_000):
        rows.write("".join(f"{text}\n" for text in texts[start : start + 10_000]).encode())
    result = rows.finish()

    assert [file.key for file in result.files] == [f"f/part-{number}.parquet" for number in (2, 5, 8)][
        : len(result.files)
    ]
    assert len(result.files) > 1
    assert result.rows == len(texts)
    read = [value for file in result.files for value in objects.table(file.key).column("c0").to_pylist()]
    assert read == texts
    assert [objects.table(file.key).num_rows for file in result.files] == [file.rows for file in result.files]


def test_rows_that_arrow_refuses_are_told_at_the_latest_at_the_end_and_nothing_is_uploaded() -> None:
    objects = Objects()
    rows = ParquetRows(objects, ParquetTarget("f/", columns("integer")))
    rows.write(b"1\n" * parquet_file.PARSED_BYTES)
    rows.write(b"no number\n" * parquet_file.PARSED_BYTES)
    rows.write(b"2\n" * parquet_file.PARSED_BYTES)
    with pytest.raises(TableError, match="cannot be written as Parquet"):
        rows.finish()
    rows.close()

    assert objects.bodies == {}


def test_without_rows_the_first_statement_alone_makes_a_file_with_the_schema() -> None:
    objects = Objects()
    target = ParquetTarget("f/", columns("bigint", "timestamp with time zone", "timestamp without time zone", "json"))

    assert ParquetRows(objects, replace(target, number=2)).finish().files == ()
    result = ParquetRows(objects, target).finish()

    assert [file.key for file in result.files] == ["f/part-1.parquet"]
    schema = objects.table("f/part-1.parquet").schema
    assert schema.types == [pa.int64(), pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.string()]
