"""Rows of COPY as Arrow's columns.

What a type of Parquet cannot hold becomes NULL and is counted: infinity, years before Christ and after 9999, and bytes
that are no text in UTF-8 (a database with the encoding SQL_ASCII may have some).
"""

import binascii
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from metadata_export.parquet_types import ParquetColumn

ARROW_TYPES = {
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "binary": pa.binary(),
    "string": pa.string(),
}
HELD = {
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(\+00)?$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
}
"""what a value looks like that the type can hold"""
TWO = pa.scalar(2, pa.int32())


def arrow_schema(columns: Sequence[ParquetColumn]) -> pa.Schema:
    """Return the schema of the files."""
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])


def arrow_type(column: ParquetColumn) -> pa.DataType:
    """Return the type of a column; never Arrow's null type, which no reader merges with another."""
    return pa.timestamp("us", "UTC") if column.is_zoned else ARROW_TYPES[column.type]


class RowParser:
    """Makes Arrow's columns of rows, and counts what became NULL."""

    def __init__(self, columns: Sequence[ParquetColumn]) -> None:
        self._columns = columns
        self._types = [arrow_type(column) for column in columns]
        self._schema = arrow_schema(columns)
        self.nulled: Counter[str] = Counter()
        """column of the table -> values that were not NULL"""

    def parse(self, rows: bytes) -> pa.RecordBatch:
        """Return whole rows as one batch."""
        try:
            arrays = self._read(rows, self._types)
        except pa.ArrowInvalid:
            doubtful = [pa.binary() if column.type in (*HELD, "string") else kind for column, kind in self._typed]
            arrays = self._read(rows, doubtful)
            arrays = [
                self._held(column, array, kind) for (column, kind), array in zip(self._typed, arrays, strict=True)
            ]
        arrays = [
            _unhexed(array) if column.type == "binary" else array
            for column, array in zip(self._columns, arrays, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    @property
    def _typed(self) -> list[tuple[ParquetColumn, pa.DataType]]:
        return list(zip(self._columns, self._types, strict=True))

    def _read(self, rows: bytes, types: Sequence[pa.DataType]) -> list[pa.Array]:
        names = [str(number) for number in range(len(types))]  # names of columns may be anything
        table = csv.read_csv(
            pa.BufferReader(rows),
            read_options=csv.ReadOptions(column_names=names, block_size=len(rows) + 1, use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict(zip(names, types, strict=True)),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
        return [_one(column) for column in table.columns]

    def _held(self, column: ParquetColumn, array: pa.Array, kind: pa.DataType) -> pa.Array:
        """Convert a column of bytes, value by value where it has to be; what does not fit is NULL."""
        if column.type == "string":
            held = _as_text(array)
        elif column.type in HELD:
            text = array.cast(pa.string())
            fits = pc.match_substring_regex(text, HELD[column.type])
            held = pc.if_else(fits, text, None).cast(kind)
        else:
            return array
        if lost := held.null_count - array.null_count:
            self.nulled[column.source] += lost
        return held


def _as_text(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(value) for value in array.to_pylist()], pa.string())


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _unhexed(array: pa.Array) -> pa.Array:
    r"""Return the bytes of values that PostgreSQL writes as `\x` and hex digits, all at once."""
    sizes = pc.divide(pc.subtract(pc.binary_length(array), TWO), TWO)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), _one(pc.cumulative_sum(pc.fill_null(sizes, 0)))])
    validity, _, digits = array.buffers()
    data = binascii.unhexlify(digits.to_pybytes().replace(b"\\x", b"")) if digits is not None else b""
    buffers = [validity, offsets.buffers()[1], pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(array), buffers, null_count=array.null_count)


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
