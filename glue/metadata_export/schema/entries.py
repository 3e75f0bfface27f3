"""What the file of the schema consists of (docs/contracts/README.md, "Schema file")."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass

SEQUENCE_STATE = "sequence state"


@dataclass(frozen=True)
class Entry:
    """Statements that belong together.

    Args:
        section: pre-data, data, post-data, in this order in the file.
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

    def header(self, size: int) -> dict[str, object]:
        """Return what the line before the statements says; `size` is theirs, in bytes."""
        told: dict[str, object] = {"section": self.section, "kind": self.kind, "schema": self.schema, "name": self.name}
        if self.table is not None:
            told["table"] = self.table
        if self.shared:
            told["shared"] = True
        if self.kind == SEQUENCE_STATE:
            told |= {"last_value": self.last_value, "is_called": self.is_called}
        return told | {"bytes": size}


ROWS = Entry("data", "rows", "", "", "-- The rows are in the files of the tables: load them here.")


def file_text(title: str, entries: Iterable[Entry]) -> bytes:
    """Return the file, unpacked: psql runs it as it is, and each entry can be found without reading any SQL.

    Args:
        title: one line.
    """
    lines = [b"-- " + title.encode(), b""]
    for entry in entries:
        statements = entry.sql.encode()
        # Escaped, so that no name begins a line of its own.
        lines += [b"-- " + json.dumps(entry.header(len(statements))).encode(), statements, b""]
    return b"\n".join(lines)


def packed(text: bytes) -> bytes:
    """Return the object: the same text gives the same bytes."""
    return gzip.compress(text, 6, mtime=0)
