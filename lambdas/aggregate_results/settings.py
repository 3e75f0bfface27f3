"""What the template configures."""

from collections.abc import Mapping
from dataclasses import dataclass

from export_runtime.environment import may_be_empty, required, whole_number


@dataclass(frozen=True)
class Settings:
    """Where Glue writes what a run prints, and how far, in percent, a table's rows may fall without being named."""

    log_group: str
    fall_percent: int
    catalog_database: str
    """of the Glue Data Catalog; empty: exports are not catalogued"""
    drills: bool
    """whether exports are tried, so that the age of the newest proof is watched"""
    keeps_fernet_key: bool
    """whether the DAG shall keep the key of what an export holds encrypted"""


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Return the settings that the function's environment variables hold.

    Raises:
        ConfigurationError: a variable is missing or malformed.
    """
    return Settings(
        log_group=required(variables, "GLUE_LOG_GROUP"),
        fall_percent=whole_number(variables, "ROW_FALL_PERCENT"),
        catalog_database=may_be_empty(variables, "CATALOG_DATABASE"),
        drills=required(variables, "DRILL_SCHEDULE") != "none",
        keeps_fernet_key=required(variables, "KEEP_FERNET_KEY") == "true",
    )
