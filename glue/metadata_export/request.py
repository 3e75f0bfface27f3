"""What a run has been asked for, in the portions that those who answer it need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GroupRun:
    """Which run this is: of which group, export and window. It names the run in Glue and in the manifest."""

    export_id: str
    group: str
    job_run_id: str
    database_name: str
    max_age_in_days: int | None
    cutoff: datetime | None


@dataclass(frozen=True)
class TableRequest:
    """The tables that somebody has asked for, before anybody has looked which of them the database has.

    Args:
        tables: table -> window rule, of this group.
        any_schema: those of `tables` that are exported from whatever schema they are in.
        windows: table -> window rule, for the tables of all groups that are not exported whole.
        mask_columns: table -> columns whose values are not exported.
    """

    database_name: str
    group: str
    tables: Mapping[str, str]
    any_schema: frozenset[str]
    catalogued_tables: frozenset[str]
    include_tables: frozenset[str]
    exclude_tables: frozenset[str]
    windows: Mapping[str, str]
    mask_columns: Mapping[str, tuple[str, ...]]

    def stands_alone(self, table: str) -> bool:
        """Return whether a table that inherits from another one has a file of its own, or was excluded by name."""
        return not self.include_tables or table in self.include_tables | self.exclude_tables
