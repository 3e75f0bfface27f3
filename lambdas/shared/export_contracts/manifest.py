"""A group's manifest (docs/contracts/group_manifest.schema.json): what one Glue run says that it delivered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_contracts.exported_schema import ExportedSchema, exported_schema
from export_contracts.exported_table import ExportedTable
from export_contracts.fields import (
    Fields,
    Reader,
    counts_by_name,
    format_version,
    identifier,
    mapping_of,
    names,
    names_by_name,
    number,
    one_of,
    or_null,
    parse,
    text,
    texts_by_name,
    to_json,
    whole,
)

SNAPSHOT = "snapshot"
PER_GROUP = "per-group"
consistency: Reader[str] = one_of(SNAPSHOT, PER_GROUP)


@dataclass(frozen=True)
class Database:
    """What was exported; ``alembic_heads`` by version table."""

    name: str
    server_version: str
    alembic_heads: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Snapshot:
    """Whose snapshot the tables show, and why it is not the shared one, if it is not."""

    role: str
    claimed_by: str
    reason: str | None


@dataclass(frozen=True)
class Manifest:
    """What one Glue run delivered; names of tables as in the database."""

    format_version: int
    export_id: str
    group: str
    job_run_id: str
    database: Database
    consistency: str
    snapshot: Snapshot
    cutoff: str | None
    max_age_in_days: int | None
    started_at: str
    finished_at: str
    duration_seconds: float
    tables: Mapping[str, ExportedTable]
    failed_tables: Mapping[str, str]
    skipped_tables: Mapping[str, str]
    uncatalogued_tables: tuple[str, ...]
    orphans: Mapping[str, int]
    unread_evidence: tuple[str, ...]
    masked_columns: Mapping[str, tuple[str, ...]]
    schema: ExportedSchema | None = None
    """that of the whole database, in the manifest of the plan's first group; None also where it is older than that"""

    @classmethod
    def from_bytes(cls, body: bytes) -> "Manifest":
        """Return the manifest that an object holds.

        Raises:
            DocumentError: see ``from_json``; also when it is truncated.
        """
        return cls.from_json(parse(body))

    @classmethod
    def from_json(cls, content: object) -> "Manifest":
        """Return the manifest that a document describes.

        One of format 1 tells of no tables that failed, no orphans and no unread evidence: it is read as having none.
        One without masked columns masked none.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = Fields(content)
        version = fields.required("format_version", format_version)
        since_2 = fields.or_else(failed_tables={}, orphans={}, unread_evidence=[]) if version == 1 else fields
        group = fields.required("group", text)
        return cls(
            format_version=version,
            export_id=fields.required("export_id", identifier),
            group=group,
            job_run_id=fields.required("job_run_id", text),
            database=fields.required("database", _database),
            consistency=fields.required("consistency", consistency),
            snapshot=fields.required("snapshot", _snapshot),
            cutoff=fields.required("cutoff", or_null(text)),
            max_age_in_days=fields.required("max_age_in_days", or_null(whole)),
            started_at=fields.required("started_at", text),
            finished_at=fields.required("finished_at", text),
            duration_seconds=fields.required("duration_seconds", number),
            tables=fields.required("tables", mapping_of(lambda each, at: ExportedTable.from_json(each, at, group))),
            skipped_tables=fields.required("skipped_tables", texts_by_name),
            uncatalogued_tables=fields.required("uncatalogued_tables", names),
            failed_tables=since_2.required("failed_tables", texts_by_name),
            orphans=since_2.required("orphans", counts_by_name),
            unread_evidence=since_2.required("unread_evidence", names),
            masked_columns=fields.optional("masked_columns", names_by_name, {}),
            schema=fields.optional("schema", exported_schema, None),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as the contract has it."""
        tables = {name: table.to_json() for name, table in self.tables.items()}
        for table in tables.values():
            del table["group"]
        content = {**to_json(self), "tables": tables}
        if self.schema is None:
            del content["schema"]
        return content


def _database(content: object, where: str) -> Database:
    fields = Fields(content, where)
    return Database(
        name=fields.required("name", text),
        server_version=fields.required("server_version", text),
        alembic_heads=fields.required("alembic_heads", names_by_name),
    )


def _snapshot(content: object, where: str) -> Snapshot:
    fields = Fields(content, where)
    return Snapshot(
        role=fields.required("role", one_of("claimed", "imported", "own")),
        claimed_by=fields.required("claimed_by", text),
        reason=fields.required("reason", or_null(text)),
    )
