"""A value for any column of any Airflow version: hostile wherever Airflow itself does not have to read it."""

import itertools
import json
import pickle
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.integration.completeness.live_catalog import LiveColumn

HOSTILE_TEXTS = (
    "quote \" and comma, and 'single'",
    "CR\rLF\nCRLF\r\ntab\tend",
    "\\.",
    "NULL",
    "\\N \\x00 \\\\",
    "ünïcödé 数据 🦄 \u2028 \ufeff",
    "'; DROP TABLE dag_run; --",
    "=cmd|' /C calc'!A0 {{ jinja }} %s $1",
)
JSON_DOCUMENTS = ("null", '{"a": "line\\nbreak, \\"quoted\\" \\\\ 🦄", "b": [1.5, null, true]}', '""', "[]", "1e308")
PICKLED = pickle.dumps({"conf": 'from, a "2.x" run\n'}, protocol=4)
JSON_BYTES = json.dumps({"key": 'a "quoted",\nvalue 🦄'}).encode()

# Airflow's own migrations read these: the upgrade from 2.9.2 would rightly fail on noise.
PICKLED_COLUMNS = ("conf", "executor_config", "pickle")


class Values:
    """Makes values one after the other, the same ones each time."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count(1001)

    def value(self, table: str, column: LiveColumn, moment: datetime | None) -> Any:
        """Return a value that no other row has (booleans and documents excepted).

        Args:
            moment: what a column that holds a moment gets.
        """
        number = next(self._numbers)
        kind = column.type.partition("(")[0]
        if column.is_moment:
            return moment.replace(tzinfo=None) if moment and column.type == "timestamp without time zone" else moment
        match kind:
            case "character varying" | "text" | "character":
                return self._text(number, column)
            case "json" | "jsonb":
                return None if column.nullable and number % 4 == 0 else JSON_DOCUMENTS[number % len(JSON_DOCUMENTS)]
            case "bytea":
                return self._bytes(table, column, number)
            case "uuid":
                return uuid.uuid5(uuid.NAMESPACE_OID, str(number))
            case "boolean":
                return number % 2 == 0
            case "integer" | "bigint":
                return number
            case "smallint":
                return number % 30000
            case "double precision" | "real" | "numeric":
                return (float("nan"), 0.1, 5e-324, 12345678.87654321)[number % 4]
        raise ValueError(f"no value for {table}.{column.name} of the type {column.type}: teach it to {__name__}")

    def _text(self, number: int, column: LiveColumn) -> str | None:
        if column.nullable and not column.unique and number % 5 < 2:
            return None if number % 5 else ""
        return f"{number} {HOSTILE_TEXTS[number % len(HOSTILE_TEXTS)]}"[: column.length]

    def _bytes(self, table: str, column: LiveColumn, number: int) -> bytes | None:
        if column.name in PICKLED_COLUMNS:
            return PICKLED
        if table == "xcom":
            return JSON_BYTES
        return None if column.nullable and number % 4 == 0 else bytes(range(256))
