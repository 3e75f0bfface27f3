"""The schema of the exported database: read whole, since it is small, and checked before anything of it is run."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from metadata_restore.entries import Entry, SchemaFileError, read_entries
from metadata_restore.errors import DamagedObjectError
from metadata_restore.objects import Objects
from metadata_restore.plan import PlannedSchema

_FETCHED = 1 << 20
_ADVICE = "It is not what was exported: choose another export."


@dataclass(frozen=True)
class SchemaFile:
    """The entries of a schema in the portions in which they are run, each in the order of the file.

    Args:
        first: what is made before any row is loaded.
        tables: what each of the other tables is made of, before and after its rows, by its name in an export.
        shared: tables that are made in ``first``.
        indexes: by table: what can be made at the same time as others of the table.
        last: what is made when all tables are there.
        sequences: what has each sequence stand where it stood.
    """

    first: tuple[Entry, ...]
    tables: Mapping[str, tuple[Entry, tuple[Entry, ...]]]
    shared: frozenset[str]
    indexes: Mapping[str, tuple[Entry, ...]]
    last: tuple[Entry, ...]
    sequences: tuple[Entry, ...]

    @property
    def names(self) -> frozenset[str]:
        """All tables."""
        return self.shared | self.tables.keys()


def read_schema_file(objects: Objects, schema: PlannedSchema) -> SchemaFile:
    """Return what an export says of the schema.

    Raises:
        DamagedObjectError: it is not what was exported.
        ObjectsUnavailableError: it could not be read.
    """
    with closing(objects.open(schema.key)) as body:
        packed = b"".join(iter(lambda: body.read(_FETCHED), b""))
    checksum = base64.b64encode(hashlib.sha256(packed).digest()).decode()
    if (len(packed), checksum) != (schema.object_bytes, schema.checksum_sha256):
        raise DamagedObjectError(
            f"{schema.key} has {len(packed):,} bytes and the SHA-256 {checksum}, the export says "
            f"{schema.object_bytes:,} and {schema.checksum_sha256}. {_ADVICE}"
        )
    try:
        return arranged(read_entries(gzip.decompress(packed)))
    except (OSError, EOFError, zlib.error, SchemaFileError) as error:
        raise DamagedObjectError(f"{schema.key} is no file of a schema: {error}. {_ADVICE}") from error


def arranged(entries: Iterable[Entry]) -> SchemaFile:
    """Return the entries in the portions in which they are run."""
    before = [entry for entry in entries if entry.section == "pre-data" and entry.kind != "settings"]
    after = [entry for entry in entries if entry.section == "post-data"]
    own = {name_of(entry): entry for entry in before if entry.kind == "table" and not entry.shared}
    keys = {name: tuple(e for e in after if name_of(e) == name and e.kind in KEYS) for name in own}
    indexes = {name: tuple(e for e in after if name_of(e) == name and e.kind == "index") for name in own}
    done = {id(entry) for found in (*keys.values(), *indexes.values()) for entry in found}
    return SchemaFile(
        first=tuple(entry for entry in before if entry not in own.values()),
        tables={name: (entry, keys[name]) for name, entry in own.items()},
        shared=frozenset(name_of(entry) for entry in before if entry.kind == "table" and entry.shared),
        indexes=indexes,
        last=tuple(entry for entry in after if id(entry) not in done),
        sequences=tuple(entry for entry in entries if entry.kind == "sequence state"),
    )


KEYS = ("primary key", "unique", "exclusion", "check")
"""what locks its table against everything else while it is made"""


def name_of(entry: Entry) -> str:
    """Return the table of an entry by its name in an export; nothing where it belongs to none."""
    if entry.table is None:
        return ""
    return entry.table if entry.schema == "public" else f"{entry.schema}.{entry.table}"
