"""A table's Parquet files, as manifest and summary have them, and the columns that those of all exports have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from export_contracts.fields import (
    Fields,
    counts_by_name,
    identifier,
    list_of,
    mapping_of,
    one_of,
    parse,
    text,
    to_json,
    whole,
)
from export_contracts.fields import format_version as version

CSV = "csv"
PARQUET = "parquet"
FORMATS = (CSV, PARQUET)
PARQUET_TYPES = (
    "smallint", "int", "bigint", "float", "double", "boolean", "timestamp", "date", "binary", "string",
)  # fmt: skip
"""in the words of Hive, which Glue, Athena and Spark share"""


@dataclass(frozen=True)
class ParquetColumn:
    """A column of the files; ``source`` is the table's column that its values come from."""

    name: str
    type: str
    source: str


@dataclass(frozen=True)
class ParquetFile:
    """One file; size in bytes, checksum as S3 gives it."""

    key: str
    rows: int
    object_bytes: int
    checksum_sha256: str


@dataclass(frozen=True)
class ParquetFiles:
    """The files of a table: ``nulled`` has, by column of the table, how many values no type of Parquet can hold."""

    columns: tuple[ParquetColumn, ...]
    files: tuple[ParquetFile, ...]
    nulled: Mapping[str, int]

    @property
    def rows(self) -> int:
        """The rows of all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class KnownColumn:
    """A column that files have had: which type it has in all of them, what it was in PostgreSQL, and since when."""

    name: str
    type: str
    source: str
    postgresql: str
    since: str


@dataclass(frozen=True)
class ParquetColumns:
    """The columns that the Parquet files of all COMPLETE exports have had (docs/contracts/parquet_columns.schema.json).

    A name has one type for ever: no reader joins files in which it has two.
    """

    format_version: int
    tables: Mapping[str, tuple[KnownColumn, ...]]

    @classmethod
    def from_bytes(cls, body: bytes) -> "ParquetColumns":
        """Return what an object holds.

        Raises:
            DocumentError: see ``from_json``; also when it is truncated.
        """
        return cls.from_json(parse(body))

    @classmethod
    def from_json(cls, content: object) -> "ParquetColumns":
        """Return what a document describes.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = Fields(content)
        return cls(
            format_version=fields.required("format_version", version),
            tables=fields.required("tables", mapping_of(list_of(_known_column))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the contract has it."""
        return dict(to_json(self))

    def to_bytes(self) -> bytes:
        """Return the content of its object."""
        return json.dumps(self.to_json(), indent=2, sort_keys=True).encode()

    def with_table(self, table: str, columns: tuple[KnownColumn, ...]) -> "ParquetColumns":
        """Return it with the columns of a table that it does not know yet."""
        known = self.tables.get(table, ())
        names = {column.name for column in known}
        new = tuple(column for column in columns if column.name not in names)
        return replace(self, tables={**self.tables, table: (*known, *new)})


def parquet_files(content: object, where: str) -> ParquetFiles:
    """Read what a document says of a table's files."""
    fields = Fields(content, where)
    return ParquetFiles(
        columns=fields.required("columns", list_of(_column)),
        files=fields.required("files", list_of(_file)),
        nulled=fields.required("nulled", counts_by_name),
    )


def _column(content: object, where: str) -> ParquetColumn:
    fields = Fields(content, where)
    return ParquetColumn(
        name=fields.required("name", text),
        type=fields.required("type", one_of(*PARQUET_TYPES)),
        source=fields.required("source", text),
    )


def _file(content: object, where: str) -> ParquetFile:
    fields = Fields(content, where)
    return ParquetFile(
        key=fields.required("key", text),
        rows=fields.required("rows", whole),
        object_bytes=fields.required("object_bytes", whole),
        checksum_sha256=fields.required("checksum_sha256", text),
    )


def _known_column(content: object, where: str) -> KnownColumn:
    fields = Fields(content, where)
    return KnownColumn(
        name=fields.required("name", text),
        type=fields.required("type", one_of(*PARQUET_TYPES)),
        source=fields.required("source", text),
        postgresql=fields.required("postgresql", text),
        since=fields.required("since", identifier),
    )
