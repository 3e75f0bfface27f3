"""What the template configures, and how an input overrides it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from export_contracts.environment import required, whole_number
from export_contracts.errors import ConfigurationError
from export_contracts.layout import Layout
from export_contracts.text import shown

from plan_export.execution_input import field_problems
from plan_export.table_registry import TABLE_NAMES


@dataclass(frozen=True)
class Settings:
    """Defaults of one environment. No name in ``include_tables`` means all tables."""

    layout: Layout
    max_age_in_days: int | None
    include_tables: tuple[str, ...]
    exclude_tables: tuple[str, ...]
    fresh_hours: int
    mask_columns: tuple[str, ...] = ()


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Return the settings that the function's environment variables hold.

    Raises:
        ConfigurationError: a variable is missing, or holds what an input would not be allowed to hold.
    """
    days = _days(variables.get("MAX_AGE_IN_DAYS", "30"))
    include, exclude = _names(variables.get("INCLUDE_TABLES", "")), _names(variables.get("EXCLUDE_TABLES", ""))
    masks = _names(variables.get("MASK_COLUMNS", ""))
    problems = field_problems({"max_age_in_days": days, "include_tables": include, "exclude_tables": exclude})
    problems += mask_problems(masks)
    if problems:
        raise ConfigurationError(
            f"Defaults of the stack are not valid: {'; '.join(problems)}. Deploy it with a parameter that is."
        )
    return Settings(
        layout=Layout(
            bucket=required(variables, "EXPORT_BUCKET"),
            base_prefix=required(variables, "BASE_PREFIX"),
            environment=required(variables, "ENVIRONMENT_NAME"),
        ),
        max_age_in_days=days,
        include_tables=tuple(include),
        exclude_tables=tuple(exclude),
        fresh_hours=whole_number(variables, "FRESH_HOURS", 20),
        mask_columns=tuple(sorted(masks)),
    )


def mask_problems(masks: list[str]) -> list[str]:
    """Return what is wrong with the columns to mask, one sentence without full stop each.

    A table that the registry does not know is refused: it could be a slip of the pen, which must not let a secret out.
    """
    problems = [f"MaskColumns has {shown(mask)}; allowed is <table>.<column>" for mask in masks if not _is_column(mask)]
    tables = sorted({mask.partition(".")[0] for mask in masks if _is_column(mask)} - TABLE_NAMES)
    unknown = "which the table registry does not know; another table can be left out by ExcludeTables"
    return [*problems, *(f"MaskColumns names the table {table}, {unknown}" for table in tables)]


def _is_column(mask: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*", mask))


def _days(text: str) -> int | None:
    if text == "null":
        return None
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    raise ConfigurationError(f"Environment variable MAX_AGE_IN_DAYS is {shown(text)}; allowed is a number or null.")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")] if text.strip() else []
