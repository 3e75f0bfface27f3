"""Is the object of the schema what its manifest says, and does it make the tables that were exported?"""

import gzip
import zlib
from collections.abc import Iterator

from export_contracts.exported_schema import ExportedSchema
from export_contracts.fields import DocumentError, Fields, parse, text, whole
from export_contracts.layout import schema_key
from export_contracts.plan import Export
from export_runtime.store import ObjectStore
from export_runtime.text import shown

_ENTRY = b"-- "
_PUBLIC = "public"
_DAMAGED = (OSError, EOFError, zlib.error, DocumentError)


def schema_problems(schema: ExportedSchema | None, export: Export, store: ObjectStore, *, failed: bool) -> list[str]:
    """Return what is wrong with the schema that the manifest of the plan's first group names.

    Without it no empty database can be made from the export, so it counts like a table. The group's next run writes it
    again, and keeps the tables that are whole.

    Args:
        failed: the group's run has failed, so that a schema which is not there needs no words.
    """
    key = schema_key(export.day_prefix, export.export_id)
    if schema is None:
        return [] if failed else [f"the schema {key} is not in its manifest"]
    if schema.key != key:
        return [f"the schema has key {shown(schema.key)}, expected was {key}"]
    facts = store.facts(key)
    if facts is None:
        return [f"object {key} does not exist"]
    if (facts.size, facts.checksum_sha256) != (schema.object_bytes, schema.checksum_sha256):
        found = f"{facts.size} bytes and SHA-256 {facts.checksum_sha256}"
        return [
            f"object {key} has {found}, the manifest says {schema.object_bytes} and {shown(schema.checksum_sha256)}"
        ]
    return []


def tables_made(store: ObjectStore, schema: ExportedSchema) -> frozenset[str]:
    """Return the tables that the object of a schema makes, by their names in an export; none if it is damaged."""
    found = store.read(schema.key)
    try:
        return frozenset(_tables(gzip.decompress(found.body))) if found else frozenset()
    except _DAMAGED:
        return frozenset()


def _tables(content: bytes) -> Iterator[str]:
    """Yield them from the lines before the entries (docs/contracts/schema_entry.schema.json); no SQL is read."""
    at = content.find(_ENTRY + b"{")
    while at != -1:
        end = content.find(b"\n", at)
        entry = Fields(parse(content[at + len(_ENTRY) : end]))
        name, schema = entry.required("name", text), entry.required("schema", text)
        if entry.required("kind", text) == "table":
            yield name if schema == _PUBLIC else f"{schema}.{name}"
        at = content.find(_ENTRY + b"{", end + entry.required("bytes", whole))
