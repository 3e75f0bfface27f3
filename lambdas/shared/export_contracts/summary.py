"""The export summary (docs/contracts/export_summary.schema.json): what an export brought, and what it did not.

Without it there is no export. ``status`` says whether it brought what it was asked for, ``scope`` whether that was all
that the stack's own parameters asked for on that day. ``export_contracts.coverage`` decides what counts as a backup.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from export_runtime.text import shown

from export_contracts.exported_schema import ExportedSchema, exported_schema
from export_contracts.exported_table import ExportedTable
from export_contracts.fields import (
    DocumentError,
    Fields,
    counts_by_name,
    format_version,
    identifier,
    list_of,
    mapping_of,
    names,
    names_by_name,
    number,
    one_of,
    or_null,
    parse,
    refuse,
    text,
    texts_by_name,
    to_json,
    whole,
)
from export_contracts.findings import FailedGroup, RowFall, failed_group_of, row_fall
from export_contracts.layout import started_at
from export_contracts.manifest import consistency

COMPLETE = "COMPLETE"
INCOMPLETE = "INCOMPLETE"
FULL = "full"
PARTIAL = "partial"
TRIGGERS = ("dag", "schedule", "manual")


@dataclass(frozen=True)
class Selection:
    """The tables that were asked for, sorted. None included by name: all tables."""

    include_tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What is known of an export, by the names of its tables.

    ``scope``, ``selection``, ``exporter_version`` and ``schema`` are None when the summary does not say them: those of
    format 1 may not, nor the first ones of format 2. Without a schema no empty database can be made from the export.
    """

    format_version: int
    export_id: str
    export_timestamp: str
    trigger: str
    execution_arn: str
    environment: str
    airflow_version: str | None
    database_name: str
    cutoff_date: str | None
    max_age_days: int | None
    selection: Selection | None
    scope: str | None
    status: str
    alembic_heads: Mapping[str, tuple[str, ...]]
    server_version: str | None
    consistency: str
    duration_seconds: float
    details: Mapping[str, ExportedTable]
    skipped_tables: Mapping[str, str]
    uncatalogued_tables: tuple[str, ...]
    orphans: Mapping[str, int]
    unread_evidence: tuple[str, ...]
    masked_columns: Mapping[str, tuple[str, ...]]
    failed_groups: tuple[FailedGroup, ...]
    problems: tuple[str, ...]
    compared_with: str | None = None
    row_falls: tuple[RowFall, ...] = ()
    exporter_version: str | None = None
    schema: ExportedSchema | None = None
    fernet_key_version: str | None = None
    """of the secret with the environment's Fernet keys; None: its key was not kept"""

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there and verified."""
        return self.status == COMPLETE

    @property
    def started(self) -> datetime:
        """When the export started, UTC."""
        return started_at(self.export_id)

    @property
    def tables(self) -> dict[str, int]:
        """The rows of every table."""
        return {name: table.rows for name, table in self.details.items()}

    @property
    def total_rows(self) -> int:
        """The rows of all tables."""
        return sum(table.rows for table in self.details.values())

    @property
    def csv_bytes(self) -> int:
        """The bytes of all tables as CSV."""
        return sum(table.csv_bytes for table in self.details.values())

    @property
    def object_bytes(self) -> int:
        """The bytes of all objects."""
        return sum(table.object_bytes for table in self.details.values())

    def exported_of(self, group: str) -> int:
        """Return how many tables of a group are there."""
        return sum(table.group == group for table in self.details.values())

    @classmethod
    def from_bytes(cls, body: bytes) -> "Summary":
        """Return the summary that an object holds.

        Raises:
            DocumentError: see ``from_json``; also when it is truncated or no gzip.
        """
        try:
            unpacked = gzip.decompress(body)
        except (EOFError, OSError, zlib.error) as error:
            raise DocumentError(f"it is not gzip (truncated after {len(body)} bytes?)") from error
        return cls.from_json(parse(unpacked))

    @classmethod
    def from_json(cls, content: object) -> "Summary":
        """Return the summary that a document describes.

        One that does not tell of orphans, unread evidence, masked columns, or the tables that failed in a group has
        none of them: those of format 1 may leave out all of these, the first ones of format 2 all but the last.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = Fields(content)
        version = fields.required("format_version", format_version)
        summary = cls(
            format_version=version,
            export_id=fields.required("export_id", identifier),
            export_timestamp=fields.required("export_timestamp", text),
            trigger=fields.required("trigger", one_of(*TRIGGERS)),
            execution_arn=fields.required("execution_arn", text),
            environment=fields.required("environment", text),
            airflow_version=fields.required("airflow_version", or_null(text)),
            database_name=fields.required("database_name", text),
            cutoff_date=fields.required("cutoff_date", or_null(text)),
            max_age_days=fields.required("max_age_days", or_null(whole)),
            selection=fields.optional("selection", _selection, None),
            scope=fields.optional("scope", one_of(FULL, PARTIAL), None),
            status=fields.required("status", one_of(COMPLETE, INCOMPLETE)),
            alembic_heads=fields.required("alembic_heads", names_by_name),
            server_version=fields.required("server_version", or_null(text)),
            consistency=fields.required("consistency", consistency),
            duration_seconds=fields.required("duration_seconds", number),
            details=fields.required("details", mapping_of(_detail)),
            skipped_tables=fields.required("skipped_tables", texts_by_name),
            uncatalogued_tables=fields.required("uncatalogued_tables", names),
            orphans=fields.optional("orphans", counts_by_name, {}),
            unread_evidence=fields.optional("unread_evidence", names, ()),
            masked_columns=fields.optional("masked_columns", names_by_name, {}),
            failed_groups=fields.required("failed_groups", list_of(failed_group_of(version))),
            problems=fields.required("problems", names),
            compared_with=fields.required("compared_with", or_null(text)),
            row_falls=fields.required("row_falls", list_of(row_fall)),
            exporter_version=fields.optional("exporter_version", text, None),
            schema=fields.optional("schema", exported_schema, None),
            fernet_key_version=fields.optional("fernet_key_version", text, None),
        )
        summary._check_totals(fields)
        return summary

    def to_json(self) -> dict[str, Any]:
        """Return the summary as the contract has it."""
        content = {name: value for name, value in to_json(self).items() if name not in _MAY_LACK or value is not None}
        details = {name: table.to_json() for name, table in self.details.items()}
        return {**content, "details": details, **self._totals()}

    def to_bytes(self) -> bytes:
        """Return the content of its object: the same summary gives the same bytes."""
        readable = json.dumps(self.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return gzip.compress(readable.encode(), mtime=0)

    def _totals(self) -> dict[str, Any]:
        return {"tables": self.tables, "total_tables": len(self.details), "total_rows": self.total_rows}

    def _check_totals(self, fields: Fields) -> None:
        """Refuse what the details contradict."""
        for name, expected in self._totals().items():
            told = fields.required(name, counts_by_name if name == "tables" else whole)
            if told != expected:
                refuse(name, told, f"what the details say: {shown(expected)}")


_MAY_LACK = ("selection", "scope", "exporter_version", "schema", "fernet_key_version")


def _selection(content: object, where: str) -> Selection:
    fields = Fields(content, where)
    return Selection(fields.required("include_tables", names), fields.required("exclude_tables", names))


def _detail(content: object, where: str) -> ExportedTable:
    return ExportedTable.from_json(content, where, Fields(content, where).required("group", text))
