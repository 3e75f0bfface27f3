"""The plan (docs/contracts/plan.schema.json): from Plan Export to the state machine and Aggregate Results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from export_contracts.coverage import Coverage
from export_contracts.exported_table import WINDOW_RULES
from export_contracts.fields import (
    Fields,
    identifier,
    list_of,
    mapping_of,
    names,
    one_of,
    or_null,
    text,
    texts_by_name,
    to_json,
    truth,
    whole,
)
from export_contracts.parquet import CSV, FORMATS
from export_contracts.summary import FULL, PARTIAL, TRIGGERS


@dataclass(frozen=True)
class PlannedTable:
    """One table and its window rule (``full``, ``run``, ``follow``, ``date`` or ``event``).

    ``any_schema``: it is exported from whatever schema it is in, as ``schema.table`` where that is not public.
    """

    table: str
    window: str
    any_schema: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the table as the contract has it."""
        return {"table": self.table, "window": self.window} | ({"any_schema": True} if self.any_schema else {})

    def is_exported_as(self, name: str) -> bool:
        """Say whether a table of a manifest is this one."""
        return name == self.table or (self.any_schema and name.endswith(f".{self.table}"))


@dataclass(frozen=True)
class TableGroup:
    """What one Glue run exports."""

    group: str
    manifest_key: str
    tables: tuple[PlannedTable, ...]
    catalogued_tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, content: object, where: str = "") -> "TableGroup":
        """Return the group that the contract describes.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = _fields_of(cls, content, where)
        return cls(
            group=fields.required("group", text),
            manifest_key=fields.required("manifest_key", text),
            tables=fields.required("tables", list_of(_planned_table)),
            catalogued_tables=fields.required("catalogued_tables", names),
            exclude_tables=fields.required("exclude_tables", names),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the group as the contract has it."""
        return {**to_json(self), "tables": [table.to_json() for table in self.tables]}


@dataclass(frozen=True)
class Export:
    """What is the same for all groups of an export.

    ``scope`` is ``full`` when it covers what the stack's own parameters ask for, else ``partial``.
    """

    export_id: str
    environment: str
    trigger: str
    execution_arn: str
    bucket: str
    output_path: str
    summary_key: str
    latest_key: str
    max_age_in_days: int | None
    cutoff: str | None
    include_tables: tuple[str, ...]
    exclude_tables: tuple[str, ...]
    excluded_tables: Mapping[str, str]
    windows: Mapping[str, str] = field(default_factory=dict)
    """the window rules of the registry's tables that are not exported whole, by table"""
    scope: str = PARTIAL
    mask_columns: tuple[str, ...] = ()
    """<table>.<column>, whose values are not exported"""
    formats: tuple[str, ...] = (CSV,)

    @property
    def root(self) -> str:
        """Prefix of the environment's exports inside the bucket, without a slash at its end."""
        return self.latest_key.rpartition("/")[0]

    @property
    def day_prefix(self) -> str:
        """Prefix of this export's tables inside the bucket, with a slash at its end."""
        return self.output_path.removeprefix(f"s3://{self.bucket}/")

    @property
    def coverage(self) -> Coverage:
        """Which tables were asked for, and how far back."""
        return Coverage(self.include_tables, self.exclude_tables, self.max_age_in_days)

    @classmethod
    def from_json(cls, content: object, where: str = "") -> "Export":
        """Return the export that the contract describes.

        An execution can be redriven for 14 days, under a newer version than that which planned it. A plan that does not
        say its scope counts as partial: nothing is claimed that nobody checked. One that names no tables asked for all,
        one without masks masked nothing.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = _fields_of(cls, content, where)
        return cls(
            export_id=fields.required("export_id", identifier),
            environment=fields.required("environment", text),
            trigger=fields.required("trigger", one_of(*TRIGGERS)),
            execution_arn=fields.required("execution_arn", text),
            bucket=fields.required("bucket", text),
            output_path=fields.required("output_path", text),
            summary_key=fields.required("summary_key", text),
            latest_key=fields.required("latest_key", text),
            max_age_in_days=fields.required("max_age_in_days", or_null(whole)),
            cutoff=fields.required("cutoff", or_null(text)),
            include_tables=fields.optional("include_tables", names, ()),
            exclude_tables=fields.optional("exclude_tables", names, ()),
            excluded_tables=fields.optional("excluded_tables", texts_by_name, {}),
            windows=fields.optional("windows", mapping_of(one_of(*WINDOW_RULES)), {}),
            scope=fields.optional("scope", one_of(FULL, PARTIAL), PARTIAL),
            mask_columns=fields.optional("mask_columns", names, ()),
            formats=fields.optional("formats", list_of(one_of(*FORMATS)), (CSV,)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the export as the contract has it."""
        return dict(to_json(self))


@dataclass(frozen=True)
class Decision:
    """Whether to export, why, and what makes this export superfluous or, with ``wait``, has to end first."""

    due: bool
    reason: str
    winner: str | None = None
    wait: bool = False


@dataclass(frozen=True)
class Plan:
    """What Plan Export answers. Without groups when it is not due, so that nothing starts by mistake."""

    decision: Decision
    export: Export
    groups: tuple[TableGroup, ...]

    @classmethod
    def from_json(cls, content: object) -> "Plan":
        """Return the plan that a document describes.

        Raises:
            DocumentError: naming the field, its value and what is allowed.
        """
        fields = Fields(content)
        decision = Decision(
            due=fields.required("due", truth),
            reason=fields.required("reason", text),
            winner=fields.required("winner", or_null(text)),
            wait=fields.required("wait", truth),
        )
        export = fields.required("export", Export.from_json)
        return cls(decision, export, fields.required("groups", list_of(TableGroup.from_json)))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as the contract has it."""
        groups = [group.to_json() for group in self.groups]
        return {**to_json(self.decision), "export": self.export.to_json(), "groups": groups}


def _planned_table(content: object, where: str) -> PlannedTable:
    fields = _fields_of(PlannedTable, content, where)
    return PlannedTable(
        table=fields.required("table", text),
        window=fields.required("window", one_of(*WINDOW_RULES)),
        any_schema=fields.optional("any_schema", truth, False),
    )


def _fields_of(kind: type[Export] | type[TableGroup] | type[PlannedTable], content: object, where: str) -> Fields:
    """Return the fields of a part of the plan: ignoring one that is not known would export something else."""
    fields = Fields(content, where)
    fields.allow_no_others(*(each.name for each in dataclass_fields(kind)))
    return fields
