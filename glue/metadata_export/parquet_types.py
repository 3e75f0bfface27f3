"""Which type a column has in Parquet: one over all exports, since no option of any reader joins two.

The type follows from the column's type in PostgreSQL. Where that has changed (Airflow 3 made xcom.value jsonb, which
was bytea, and gave task_instance.trigger_timeout a time zone), the new values go into a second column, as text.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from metadata_export.catalog import Column

TEXT = "string"
TYPES = {
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "real": "float",
    "double precision": "double",
    "boolean": "boolean",
    "timestamp with time zone": "timestamp",
    "timestamp without time zone": "timestamp",
    "date": "date",
    "bytea": "binary",
}
"""PostgreSQL's name -> Hive's, which Athena, Glue and Spark share. All else is text: one column of Parquet's UUID or
TIME makes Spark refuse the whole file, its JSON is bytes to polars, and numeric has NaN and more digits than Parquet"""
PARTITION = "export_id"  # what readers make of the folder's name
ZONED, UNZONED = "timestamp with time zone", "timestamp without time zone"


@dataclass(frozen=True)
class ParquetColumn:
    """A column of a Parquet file.

    Args:
        name: in the file.
        type: in the words of Hive.
        source: the table's column.
        postgresql: its type there.
    """

    name: str
    type: str
    source: str
    postgresql: str

    @property
    def is_zoned(self) -> bool:
        """Whether it holds moments, not the time on some clock."""
        return bare(self.postgresql) == ZONED


def parquet_type(postgresql: str) -> str:
    """Return the type in Parquet of a column that PostgreSQL writes so in a table definition."""
    return TYPES.get(bare(postgresql), TEXT)


def file_type(kind: str, postgresql: str) -> str:
    """Return what a column must be in all files.

    Hive has one word for a moment and for the time on some clock; Parquet tells them apart, and readers do not join
    them.

    Args:
        kind: in the words of Hive.
        postgresql: the column's type there.
    """
    return UNZONED if kind == TYPES[UNZONED] and bare(postgresql) == UNZONED else kind


def parquet_columns(columns: Iterable[Column], known: Mapping[str, str]) -> tuple[ParquetColumn, ...]:
    """Return the columns of a table's Parquet files, in the table's order.

    Args:
        columns: of the table, as it is now.
        known: name -> ``file_type``, of all columns that Parquet files of this table have had.
    """
    own = list(columns)
    taken = {name.lower() for name in [PARTITION, *known, *(column.name for column in own)]}
    seen, result = {PARTITION}, list[ParquetColumn]()
    for column in own:
        kind, name = parquet_type(column.type), column.name
        # Athena, Spark and DuckDB do not tell Id from id.
        own_type = file_type(kind, column.type)
        if known.get(name, own_type) != own_type or name.lower() in seen:
            kind, name = TEXT, _second_name(column, known, taken - known.keys())
        seen.add(name.lower())
        result.append(ParquetColumn(name, kind, column.name, column.type))
    return tuple(result)


def bare(postgresql: str) -> str:
    """Return a type without its modifiers: `timestamp(3) with time zone` is `timestamp with time zone`."""
    return re.sub(r"\([0-9, ]+\)", "", postgresql)


def _second_name(column: Column, known: Mapping[str, str], taken: Collection[str]) -> str:
    name = f"{column.name}_{re.sub('[^a-z0-9]+', '_', bare(column.type).lower()).strip('_')}"
    while name.lower() in taken or known.get(name, TEXT) != TEXT:
        name += "_"
    return name
