"""The entries of the file of a schema (docs/contracts/README.md, "Schema file"), found without reading any SQL."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any

from metadata_restore.errors import RestoreError

SECTIONS = ("pre-data", "data", "post-data")
SEQUENCE_STATE = "sequence state"
KINDS = frozenset({
    "settings", "schema", "extension", "collation", "type", "domain", "function", "sequence", "table", "partition",
    SEQUENCE_STATE, "rows",
    "primary key", "unique", "exclusion", "check", "index", "index partition", "index mark", "statistics",
    "foreign keys", "trigger", "comment",
})  # fmt: skip
MARK = b"-- {"  # no other line between entries begins so


class SchemaFileError(RestoreError):
    """The file of a schema is not what its contract says."""


@dataclass(frozen=True)
class Entry:
    """Statements that belong together.

    Args:
        section: one of SECTIONS, in this order in the file.
        kind: of the object that they make.
        schema: of the object; of an index or constraint that of its table. Empty for what is in no schema.
        sql: each statement ends in a semicolon.
        table: the table that it is, or belongs to; None for what belongs to none.
        shared: other entries of the section need this table, or it shares rows with others (partitions, inheritance):
            all of these are made before any row is loaded.
        last_value, is_called: of a sequence, where they are known.
    """

    section: str
    kind: str
    schema: str
    name: str
    sql: str
    table: str | None = None
    shared: bool = False
    last_value: int | None = None
    is_called: bool | None = None


def read_entries(text: bytes) -> list[Entry]:
    """Return the entries of a file, unpacked.

    Raises:
        SchemaFileError: naming the entry, its field, and what is allowed.
    """
    entries: list[Entry] = []
    at = text.find(MARK)
    if at < 0:
        raise SchemaFileError("it is no file of a schema: it has no entry")
    while at < len(text):
        end = text.find(b"\n", at)
        line = text[at : end if end >= 0 else len(text)]
        if not line.startswith(MARK):
            raise SchemaFileError(f"an entry must follow after {len(entries)} entries, but there is {line[:80]!r}")
        entry, size = read_header(line.removeprefix(b"-- ").decode(errors="replace"))
        begin = at + len(line) + 1
        if text[begin + size : begin + size + 1] != b"\n":
            raise SchemaFileError(f"it is cut or changed in the {entry.kind} {entry.name!r} of {size} bytes")
        entries.append(replace(entry, sql=text[begin : begin + size].decode()))
        at = begin + size + 1
        at += text[at : at + 1] == b"\n"
    return entries


def read_header(line: str) -> tuple[Entry, int]:
    """Return the entry that a line announces, without its statements, and their size in bytes.

    Raises:
        SchemaFileError: naming the field, its value, and what is allowed.
    """
    try:
        told = json.loads(line)
    except ValueError as error:
        raise SchemaFileError(f"the line before an entry is no JSON: {line[:80]!r}") from error
    if not isinstance(told, dict):
        raise SchemaFileError(f"the line before an entry is no JSON object: {line[:80]!r}")
    is_state = told.get("kind") == SEQUENCE_STATE
    entry = Entry(
        section=_field(told, "section", str, "one of pre-data, data, post-data", SECTIONS),
        kind=_field(told, "kind", str, f"one of {', '.join(sorted(KINDS))}", KINDS),
        schema=_field(told, "schema", str, "a text"),
        name=_field(told, "name", str, "a text"),
        sql="",
        table=_field(told, "table", str, "a text") if "table" in told else None,
        shared=_field(told, "shared", bool, "true") if "shared" in told else False,
        last_value=_field(told, "last_value", int | None, "a whole number or null") if is_state else None,
        is_called=_field(told, "is_called", bool | None, "true, false or null") if is_state else None,
    )
    size = _field(told, "bytes", int, "a whole number of 0 or more")
    if size < 0:
        raise SchemaFileError(f"bytes is {size}; allowed is a whole number of 0 or more")
    return entry, size


def _field(
    told: Mapping[str, Any], name: str, kind: type | UnionType, allowed: str, among: Collection[str] | None = None
) -> Any:
    if name not in told:
        raise SchemaFileError(f"an entry lacks {name}")
    value = told[name]
    # bool is a subclass of int
    fits = isinstance(value, kind) and not (isinstance(value, bool) and kind in (int, int | None))
    if not fits or (among is not None and value not in among):
        raise SchemaFileError(f"{name} is {value!r}; allowed is {allowed}")
    return value
