"""The plan (docs/contracts/plan.schema.json): from Plan Export to the state machine and Aggregate Results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from export_contracts.errors import InvalidEventError
from export_contracts.text import shown


@dataclass(frozen=True)
class PlannedTable:
    """One table and its window rule (``full``, ``run``, ``follow``, ``date`` or ``event``)."""

    table: str
    window: str


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
            "tables": [asdict(table) for table in self.tables],
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
    """What is the same for all groups of an export."""

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
    mask_columns: tuple[str, ...] = ()
    """<table>.<column>, whose values are not exported"""

    @property
    def day_prefix(self) -> str:
        """Prefix of this export's tables inside the bucket, with a slash at its end."""
        return self.output_path.removeprefix(f"s3://{self.bucket}/")

    @property
    def selection(self) -> dict[str, list[str]]:
        """Which tables were asked for, as the summary records it; no name in ``include_tables`` means all."""
        return {"include_tables": list(self.include_tables), "exclude_tables": list(self.exclude_tables)}

    def to_json(self) -> dict[str, Any]:
        """Return the export as the contract has it."""
        return {
            **asdict(self),
            "include_tables": list(self.include_tables),
            "exclude_tables": list(self.exclude_tables),
            "excluded_tables": dict(self.excluded_tables),
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
