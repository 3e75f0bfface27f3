"""The execution input (docs/contracts/execution_input.schema.json), validated as a whole before anything starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from export_contracts.summary import TRIGGERS
from export_runtime.text import one_line, shown

from plan_export.errors import InvalidExportInputError
from plan_export.table_registry import EXCLUSION_REASONS

MAX_AGE_LIMIT = 3650
FIELDS = ("trigger", "max_age_in_days", "include_tables", "exclude_tables", "force")
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS: a quoted identifier has any
# character but the one with code zero, and NAMEDATALEN - 1 bytes.
_LONGEST_NAME = 63


@dataclass(frozen=True)
class ExecutionInput:
    """A valid input. ``given`` names the fields that it had; the others hold neutral values."""

    given: frozenset[str]
    trigger: str = "manual"
    max_age_in_days: int | None = None
    include_tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()
    force: bool = False


def parse_input(raw: object) -> ExecutionInput:
    """Return the execution input.

    Args:
        raw: what the execution was started with.

    Raises:
        InvalidExportInputError: naming every problem with field, value and what is allowed.
    """
    if not isinstance(raw, dict):
        raise InvalidExportInputError(
            f"Execution input is {shown(raw)}; allowed is a JSON object. Nothing was started."
        )
    problems = field_problems(raw)
    if problems:
        listed = " ".join(f"({number}) {problem}." for number, problem in enumerate(problems, 1))
        raise InvalidExportInputError(f"Execution input is not valid: {listed} Nothing was started; correct the input.")
    lists = {name: tuple(raw[name]) for name in ("include_tables", "exclude_tables") if name in raw}
    return ExecutionInput(given=frozenset(raw), **{**raw, **lists})


def field_problems(raw: Mapping[str, object]) -> list[str]:
    """Return what is wrong with the fields of an input, one sentence without full stop each."""
    problems = [f"unknown field {shown(name)}; allowed are {', '.join(FIELDS)}" for name in raw if name not in FIELDS]
    for name, check in _CHECKS.items():
        if name in raw:
            problems += check(name, raw[name])
    if not problems:
        problems += _overlap(raw)
    return problems


def _trigger(name: str, value: object) -> list[str]:
    if isinstance(value, str) and value in TRIGGERS:
        return []
    return [f"{name} is {shown(value)}; allowed are {', '.join(TRIGGERS)}"]


def _max_age(name: str, value: object) -> list[str]:
    # bool is a subclass of int: true would pass as one day.
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is None or (whole and 1 <= value <= MAX_AGE_LIMIT):  # type: ignore[operator]
        return []
    return [f"{name} is {shown(value)}; allowed is a whole number from 1 to {MAX_AGE_LIMIT}, or null for everything"]


def _force(name: str, value: object) -> list[str]:
    return [] if isinstance(value, bool) else [f"{name} is {shown(value)}; allowed are true and false"]


def _tables(name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        return [f"{name} is {shown(value)}; allowed is a list of table names"]
    problems = [
        f"{name} has {shown(table)}; a table name has 1 to {_LONGEST_NAME} bytes in UTF-8 and no zero character, "
        "and may follow the name of its schema and a dot"
        for table in value
        if not (isinstance(table, str) and _is_table_name(table))
    ]
    if not problems:
        problems += [
            f"{name} has {shown(table)} more than once" for table in sorted(set(value)) if value.count(table) > 1
        ]
    return problems


def _is_table_name(text: str) -> bool:
    if _is_identifier(text):
        return True
    parts = text.split(".")
    return any(
        _is_identifier(".".join(parts[:at])) and _is_identifier(".".join(parts[at:])) for at in range(len(parts))
    )


def _is_identifier(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= _LONGEST_NAME and "\0" not in text
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        return False


def _included(name: str, value: object) -> list[str]:
    problems = _tables(name, value)
    if problems or not isinstance(value, list):
        return problems
    return [
        f"{name} has {shown(table)}, which is never exported: {EXCLUSION_REASONS[table]}"
        for table in value
        if table in EXCLUSION_REASONS
    ]


def _overlap(raw: Mapping[str, object]) -> list[str]:
    included, excluded = raw.get("include_tables", []), raw.get("exclude_tables", [])
    if not (isinstance(included, list) and isinstance(excluded, list)):
        return []
    both = sorted(set(included) & set(excluded))
    names = one_line(", ".join(both), 1000)
    return [f"include_tables and exclude_tables both have {names}; leave each in one of them"] if both else []


_CHECKS: dict[str, Callable[[str, object], list[str]]] = {
    "trigger": _trigger,
    "max_age_in_days": _max_age,
    "include_tables": _included,
    "exclude_tables": _tables,
    "force": _force,
}
