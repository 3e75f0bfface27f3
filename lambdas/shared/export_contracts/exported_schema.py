"""The object that holds the schema of the database, as manifest and summary have it."""

from collections.abc import Mapping
from dataclasses import dataclass

from export_contracts.fields import Fields, integer, mapping_of, names, text, whole


@dataclass(frozen=True)
class ExportedSchema:
    """What is known of the schema's object. Sizes in bytes, ``sql_bytes`` unpacked.

    ``sequences``: the number that each gives out next, as far as the export could read it. ``left_out`` names what the
    database has and the file does not make (a view, a rule), for people.
    """

    key: str
    sql_bytes: int
    object_bytes: int
    checksum_sha256: str
    sequences: Mapping[str, int]
    left_out: tuple[str, ...]


def exported_schema(content: object, where: str) -> ExportedSchema:
    """Read what a document says of the schema."""
    fields = Fields(content, where)
    return ExportedSchema(
        key=fields.required("key", text),
        sql_bytes=fields.required("sql_bytes", whole),
        object_bytes=fields.required("object_bytes", whole),
        checksum_sha256=fields.required("checksum_sha256", text),
        sequences=fields.required("sequences", mapping_of(integer)),
        left_out=fields.required("left_out", names),
    )
