"""The plan (docs/contracts/plan.schema.json): from Plan Export to the state machine and Aggregate Results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from export_runtime.errors import InvalidEventError
from export_runtime.text import shown

from export_contracts.coverage import PARTIAL, Coverage


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

    def to_json(self) -> dict[str, Any]:
        """Return the group as the contract has it."""
        return {
            "group": self.group,
            "manifest_key": self.manifest_key,
            "tables": [table.to_json() for table in self.tables],
            "catalogued_tables": list(self.catalogued_tables),
            "exclude_tables": list(self.exclude_tables),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the group that the contract describes.

        Raises:
            InvalidEventError: a field is missing, unknown or of the wrong type.
        """
        try:
            return cls(
                group=data["group"],
                manifest_key=data["manifest_key"],
                tables=tuple(PlannedTable(**table) for table in data["tables"]),
                catalogued_tables=tuple(data["catalogued_tables"]),
                exclude_tables=tuple(data["exclude_tables"]),
            )
        except (KeyError, TypeError) as error:
            raise InvalidEventError(f"Not a table group of a plan: {shown(data)} ({error!r}).") from error


@dataclass(frozen=True)
class Export:
    """What is the same for all groups of an export.

    ``scope`` is ``full`` when it covers what the stack's own parameters ask for, else ``partial``. A plan of a version
    that did not say it counts as partial: nothing is claimed that nobody checked.
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

    def to_json(self) -> dict[str, Any]:
        """Return the export as the contract has it."""
        return {
            **asdict(self),
            "include_tables": list(self.include_tables),
            "exclude_tables": list(self.exclude_tables),
            "excluded_tables": dict(self.excluded_tables),
            "windows": dict(self.windows),
            "mask_columns": list(self.mask_columns),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the export that the contract describes.

        Raises:
            InvalidEventError: a field is missing or unknown.
        """
        names = ("include_tables", "exclude_tables", "mask_columns")
        lists = {name: tuple(data.get(name, ())) for name in names}
        try:
            return cls(**{**data, **lists, "excluded_tables": dict(data.get("excluded_tables", {}))})
        except TypeError as error:
            raise InvalidEventError(f"Not the export of a plan: {shown(data)} ({error}).") from error
