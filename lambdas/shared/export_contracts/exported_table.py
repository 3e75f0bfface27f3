"""A table that was exported, as manifest and summary have it."""

import re
from dataclasses import dataclass
from typing import Any

from export_contracts.fields import Fields, list_of, names, number, one_of, refuse, text, to_json, whole
from export_contracts.parquet import ParquetFiles, parquet_files

WINDOW_RULES = ("full", "run", "follow", "date", "event")
_CONTENT_CHECKSUM = re.compile("xxh3-sum:[0-9a-f]{16}")


@dataclass(frozen=True)
class Column:
    """A column, with its type as PostgreSQL writes it."""

    name: str
    type: str


@dataclass(frozen=True)
class ForeignKey:
    """Columns that refer to a row of ``parent``, position by position."""

    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class OwnedSequence:
    """A sequence that goes with a column (serial, identity)."""

    name: str
    column: str


@dataclass(frozen=True)
class ExportedTable:
    """What is known of a table and its object. Sizes in bytes; ``columns`` in the order of the file.

    ``checksum_sha256`` is as S3 gives it: of the object, or composite with -N for N parts. ``content_checksum`` is
    of the rows, in whatever order they are. It, ``primary_key``, ``foreign_keys`` and ``sequences`` are None where the
    document is from before there were any.
    """

    group: str
    key: str
    rows: int
    csv_bytes: int
    object_bytes: int
    checksum_sha256: str
    part_sizes: tuple[int, ...]
    columns: tuple[Column, ...]
    window: str
    duration_seconds: float
    content_checksum: str | None = None
    parquet: ParquetFiles | None = None
    """None: there are no such files"""
    primary_key: tuple[str, ...] | None = None
    foreign_keys: tuple[ForeignKey, ...] | None = None
    sequences: tuple[OwnedSequence, ...] | None = None

    @classmethod
    def from_json(cls, content: object, where: str, group: str) -> "ExportedTable":
        """Return what a document says of a table whose group is known.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = Fields(content, where)
        return cls(
            group=group,
            key=fields.required("key", text),
            rows=fields.required("rows", whole),
            csv_bytes=fields.required("csv_bytes", whole),
            object_bytes=fields.required("object_bytes", whole),
            checksum_sha256=fields.required("checksum_sha256", text),
            part_sizes=fields.required("part_sizes", list_of(whole)),
            columns=fields.required("columns", list_of(_column)),
            window=fields.required("window", one_of(*WINDOW_RULES)),
            duration_seconds=fields.required("duration_seconds", number),
            content_checksum=fields.optional("content_checksum", _content_checksum, None),
            parquet=fields.optional("parquet", parquet_files, None),
            primary_key=fields.optional("primary_key", names, None),
            foreign_keys=fields.optional("foreign_keys", list_of(_foreign_key), None),
            sequences=fields.optional("sequences", list_of(_sequence), None),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the summary has it; a manifest is of one group and does not repeat it."""
        return {name: value for name, value in to_json(self).items() if value is not None}


def _content_checksum(value: object, where: str) -> str:
    checksum = text(value, where)
    if not _CONTENT_CHECKSUM.fullmatch(checksum):
        refuse(where, value, "xxh3-sum: and 16 hexadecimal digits")
    return checksum


def _column(content: object, where: str) -> Column:
    fields = Fields(content, where)
    return Column(fields.required("name", text), fields.required("type", text))


def _foreign_key(content: object, where: str) -> ForeignKey:
    fields = Fields(content, where)
    key = ForeignKey(
        name=fields.required("name", text),
        columns=fields.required("columns", names),
        parent=fields.required("parent", text),
        parent_columns=fields.required("parent_columns", names),
    )
    if len(key.columns) != len(key.parent_columns):
        refuse(f"{where}.parent_columns", list(key.parent_columns), f"one for each of columns: {list(key.columns)}")
    return key


def _sequence(content: object, where: str) -> OwnedSequence:
    fields = Fields(content, where)
    return OwnedSequence(fields.required("name", text), fields.required("column", text))
