"""What the template configures, and how an input overrides it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_contracts.coverage import Coverage
from export_contracts.layout import Layout
from export_contracts.parquet import CSV, FORMATS
from export_runtime.environment import may_be_empty, required, whole_number
from export_runtime.errors import ConfigurationError
from export_runtime.text import shown

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
    formats: tuple[str, ...] = (CSV,)

    @property
    def coverage(self) -> Coverage:
        """What the stack's own parameters ask for: an export that covers it is a backup of the environment."""
        return Coverage(self.include_tables, self.exclude_tables, self.max_age_in_days)


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Return the settings that the function's environment variables hold.

    Raises:
        ConfigurationError: a variable is missing, or holds what an input would not be allowed to hold.
    """
    asked = read_coverage(
        required(variables, "MAX_AGE_IN_DAYS"),
        may_be_empty(variables, "INCLUDE_TABLES"),
        may_be_empty(variables, "EXCLUDE_TABLES"),
    )
    masks = [name.strip() for name in may_be_empty(variables, "MASK_COLUMNS").split(",") if name.strip()]
    if problems := mask_problems(masks):
        raise _invalid(problems)
    return Settings(
        layout=Layout(
            bucket=required(variables, "EXPORT_BUCKET"),
            base_prefix=required(variables, "BASE_PREFIX"),
            environment=required(variables, "ENVIRONMENT_NAME"),
        ),
        max_age_in_days=asked.max_age_in_days,
        include_tables=asked.include_tables,
        exclude_tables=asked.exclude_tables,
        fresh_hours=whole_number(variables, "FRESH_HOURS"),
        mask_columns=tuple(sorted(masks)),
        formats=_formats(required(variables, "FORMATS")),
    )


def read_coverage(max_age_in_days: str, include_tables: str, exclude_tables: str) -> Coverage:
    """Return what the stack's parameters of these names ask for.

    Raises:
        ConfigurationError: one of them holds what an input would not be allowed to hold.
    """
    days = _days(max_age_in_days)
    include, exclude = _names("IncludeTables", include_tables), _names("ExcludeTables", exclude_tables)
    problems = field_problems({"max_age_in_days": days, "include_tables": include, "exclude_tables": exclude})
    if problems:
        raise _invalid(problems)
    return Coverage(tuple(include), tuple(exclude), days)


def _formats(parameter: str) -> tuple[str, ...]:
    allowed = (CSV, ",".join(FORMATS))
    if parameter not in allowed:
        raise _invalid([f"Formats is {shown(parameter)}; allowed is {' or '.join(allowed)}"])
    return tuple(parameter.split(","))


def _invalid(problems: list[str]) -> ConfigurationError:
    return ConfigurationError(
        f"Defaults of the stack are not valid: {'; '.join(problems)}. Deploy it with a parameter that is."
    )


def mask_problems(masks: list[str]) -> list[str]:
    """Return what is wrong with the columns to mask, one sentence without full stop each.

    A table that the registry does not know is refused: it could be a typo, which must not let a secret out.
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
    raise ConfigurationError(f"Parameter MaxAgeInDays (MAX_AGE_IN_DAYS) is {shown(text)}; allowed is a number or null.")


def _names(parameter: str, text: str) -> list[Any]:
    """Return the names of a list: separated by commas, or a JSON list for names with commas, quotes or outside ASCII.

    AWS seen: CloudFormation returns question marks for what is not ASCII in a parameter, so such names are written in
    JSON's escapes. https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/814
    """
    if not text.lstrip().startswith("["):
        return [name.strip() for name in text.split(",")] if text.strip() else []
    try:
        names = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(
            f"Parameter {parameter} is {shown(text)}, which begins like a JSON list and is none ({error}). "
            "Deploy the stack with names separated by commas, or with a JSON list of names."
        ) from error
    return list(names)
