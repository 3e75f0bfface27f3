"""Writes the schema of an export: one of its groups does.

It is the first one of the plan, whose name every run knows. Not the holder of the snapshot: which run that is, chance
decides, and when it fails, its retry is none. So it is known whose manifest has to name the file, and which group a
retry runs again.
"""

from dataclasses import dataclass
from typing import Any

from metadata_export.errors import ExportError, SourceError
from metadata_export.heaps import PUBLIC
from metadata_export.log import info, warning
from metadata_export.parts import Part
from metadata_export.schema.document import Schema, read_schema
from metadata_export.schema.entries import file_text, packed
from metadata_export.source import Connection, savepoint
from metadata_export.storage import Store

LEFT_OUT_NAMED = 100


@dataclass(frozen=True)
class ExportedSchema:
    """The object of the schema, and what is in it."""

    key: str
    sql_bytes: int
    part: Part
    schema: Schema

    def to_json(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        left_out = self.schema.left_out
        more = len(left_out) - LEFT_OUT_NAMED
        return {
            "key": self.key,
            "sql_bytes": self.sql_bytes,
            "object_bytes": self.part.size,
            "checksum_sha256": self.part.sha256,
            "sequences": {
                each.name if each.schema == PUBLIC else f"{each.schema}.{each.name}": each.following
                for each in self.schema.sequences
                if each.following is not None
            },
            "left_out": [*left_out[:LEFT_OUT_NAMED], *([f"{more} more"] if more > 0 else [])],
        }


def export_schema(connection: Connection, store: Store, key: str, title: str) -> ExportedSchema | ExportError:
    """Write the schema as the connection's transaction sees it; return the error where the database refuses that.

    The tables can be exported without it. It is written again by a retry, which keeps tables of an earlier attempt only
    if their columns and the revision of the schema are still the same.

    Raises:
        ExportError: nothing else could be read or written either.
    """
    try:
        with savepoint(connection):
            schema = read_schema(connection)
    except SourceError as error:
        if error.transient:
            raise
        warning(f"the schema cannot be exported: {error}")
        return ExportError(
            f"the schema of the database cannot be exported, so that no empty database can be made from this export; "
            f"its tables are there: {error} - redrive the execution when no migration runs"
        )
    text = file_text(title, schema.entries)
    part = store.put(key, packed(text))
    info(f"wrote the schema: {len(schema.entries)} entries", key=key, sql_bytes=len(text))
    if schema.left_out:
        warning(f"the schema does not have {', '.join(schema.left_out[:LEFT_OUT_NAMED])}: Airflow needs none of it")
    return ExportedSchema(key, len(text), part, schema)
