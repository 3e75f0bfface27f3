"""What a table of exports is in the Glue Data Catalog.

AWS documented: how a table over Parquet is declared for Athena, and which names it allows.
https://docs.aws.amazon.com/athena/latest/ug/parquet-serde.html
https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from export_contracts.parquet import KnownColumn
from export_runtime.text import one_line

MARK = "mwaa_metadata_export"
"""the parameter by which a table is known to be ours; its value is where the exports are"""
EXPORT_ID = "export_id"
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_COMMENT_BYTES = 255


def catalog_name(table: str) -> str:
    """Return the name of a table in the catalog: lowercase, and nothing but letters, digits and underscores."""
    return re.sub(r"[^a-z0-9_]", "_", table.lower())


def storage(columns: Sequence[dict[str, str]], location: str) -> dict[str, Any]:
    """Return how Parquet files at a location are read."""
    return {
        "Columns": list(columns),
        "Location": location,
        "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
        "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    }


def table_input(table: str, columns: Sequence[dict[str, str]], location: str, root_uri: str) -> dict[str, Any]:
    """Return a table as Glue takes it.

    Args:
        table: its name in PostgreSQL.
        columns: as ``catalog_columns`` returns them.
        location: URI of its folder.
        root_uri: URI of the environment's exports.
    """
    return {
        "Name": catalog_name(table),
        "Description": one_line(f"Table {table} of Airflow's metadata; a partition per export of {root_uri}", 2000),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", MARK: root_uri},
        "PartitionKeys": [{"Name": EXPORT_ID, "Type": "string", "Comment": "start of the export, UTC"}],
        "StorageDescriptor": storage(columns, location),
    }


def catalog_columns(known: Iterable[KnownColumn], there: Iterable[dict[str, Any]] = ()) -> list[dict[str, str]]:
    """Return the columns of a table: those of all its files, and what somebody has added.

    Args:
        known: of the files of all exports.
        there: of the table in the catalog.
    """
    known = list(known)
    first = {column.source: column for column in reversed(known)}
    columns = [
        {"Name": each.name.lower(), "Type": each.type, "Comment": _comment(each, first[each.source])} for each in known
    ]
    names = {column["Name"] for column in columns}
    others = [{"Name": str(each["Name"]), "Type": str(each["Type"])} for each in there if each["Name"] not in names]
    return [*columns, *others]


def _comment(column: KnownColumn, first: KnownColumn) -> str:
    told = column.postgresql
    if column is not first:
        told = f"{column.source}, {column.postgresql} since {column.since}; before, {first.name} as {first.postgresql}"
    return one_line(told, _COMMENT_BYTES)
