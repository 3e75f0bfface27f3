"""The rows of a query as CSV, JSON or cells of a table."""

import json
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any


def csv_line(values: Iterable[Any]) -> str:
    """Return a row as the exports have it: NULL is nothing, an empty text is quoted, bytes are hexadecimal."""
    return ",".join("" if value is None else _field(as_text(value)) for value in values) + "\n"


def as_text(value: Any) -> str:
    """Return a value for people and CSV; NULL is an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=as_json, ensure_ascii=False)
    return str(value)


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: what JSON lacks is text, numbers that are none are null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if isinstance(value, date) else as_text(value)


def json_row(names: Sequence[str], values: Sequence[Any], *, ascii_only: bool) -> str:
    """Return a row as a JSON object."""
    row = {name: as_json(value) for name, value in zip(names, values, strict=True)}
    return json.dumps(row, ensure_ascii=ascii_only)


def _field(text: str) -> str:
    if text and not any(character in text for character in ',"\r\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
