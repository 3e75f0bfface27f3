"""Keeps the tables and partitions of the Glue Data Catalog, in which Athena finds the exports.

The catalog is a way to look at exports that are there: what it refuses is told to people, and costs no export.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from export_contracts.layout import parquet_prefix, parquet_table_prefix
from export_contracts.parquet import KnownColumn
from export_contracts.plan import Export
from export_contracts.summary import Summary
from export_runtime.aws import aws_call, error_code
from export_runtime.errors import AwsCallError, AwsUnavailableError
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

from aggregate_results.catalog_tables import EXPORT_ID, MARK, catalog_columns, catalog_name, storage, table_input
from aggregate_results.parquet_columns import Remembered

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

_CONCURRENT_TABLES = 4  # Glue throttles an account that asks faster
_ADVICE = "See the role of the function Aggregate Results, and Lake Formation's permissions if the account uses them."


@dataclass(frozen=True)
class Catalog:
    """A database of the catalog, and where the exports are that its tables show."""

    client: "GlueClient"
    database: str
    store: ObjectStore
    export: Export

    def tables(self) -> dict[str, dict[str, Any]]:
        """Return the tables that are there, by name.

        Raises:
            AwsCallError, AwsUnavailableError: see ``aws_call``.
        """
        with aws_call(f"list the tables of the Glue database {self.database}", _ADVICE):
            pages = self.client.get_paginator("get_tables").paginate(DatabaseName=self.database)
            return {str(table["Name"]): dict(table) for page in pages for table in page["TableList"]}

    def keep(self, table: str, known: tuple[KnownColumn, ...], there: Mapping[str, Any] | None) -> None:
        """Make a table or let it have more columns, and add this export's partition.

        Raises:
            AwsCallError: it is somebody else's, or Glue refuses.
            AwsUnavailableError: see ``aws_call``.
        """
        name, root_uri = catalog_name(table), self.store.uri(self.export.root)
        location = self.store.uri(parquet_table_prefix(self.export.root, table))
        if there is not None and not _is_ours(there, root_uri, location):
            raise AwsCallError(
                f"The Glue database {self.database} has another table by the name {name}, which was left alone: rename "
                "or delete it, or give the stack another CatalogDatabase"
            )
        columns = catalog_columns(known, there["StorageDescriptor"]["Columns"] if there else ())
        wanted = table_input(table, columns, location, root_uri)
        with aws_call(f"keep the table {name} of the Glue database {self.database}", _ADVICE):
            if there is None:
                self.client.create_table(DatabaseName=self.database, TableInput=wanted)  # type: ignore[arg-type]
            elif _types(there["StorageDescriptor"]["Columns"]) != _types(columns):
                self._update(wanted, there)
            self._add_partition(name, columns, self.store.uri(parquet_prefix(self.export.root, table, self._id)))

    def _update(self, wanted: dict[str, Any], there: Mapping[str, Any]) -> None:
        # Of this version: what somebody has changed meanwhile is not undone.
        version = {"VersionId": there["VersionId"]} if "VersionId" in there else {}
        self.client.update_table(DatabaseName=self.database, TableInput=wanted, SkipArchive=True, **version)  # type: ignore[arg-type]

    def _add_partition(self, name: str, columns: list[dict[str, str]], location: str) -> None:
        partition: Any = {"Values": [self._id], "StorageDescriptor": storage(columns, location)}
        try:
            self.client.create_partition(DatabaseName=self.database, TableName=name, PartitionInput=partition)
        except ClientError as error:
            # By this very export, whose aggregation is repeated.
            if error_code(error) != "AlreadyExistsException":
                raise

    @property
    def _id(self) -> str:
        return self.export.export_id


def keep_catalog(
    catalog: Catalog, remembered: Remembered, summary: Summary, has_time: Callable[[], bool]
) -> tuple[str, ...]:
    """Let the catalog have the tables of a COMPLETE export and its partitions; return what it lacks, for people.

    Args:
        has_time: says whether the function may go on.
    """
    try:
        there = catalog.tables()
    except (AwsCallError, AwsUnavailableError) as error:
        return (one_line(str(error), 500),)
    names = _unambiguous(summary)
    with ThreadPoolExecutor(_CONCURRENT_TABLES) as pool:
        told = pool.map(lambda table: _kept(catalog, table, remembered, there, has_time), names)
        problems = [f"{one_line(table, 80)}: {problem}" for table, problem in zip(names, told, strict=True) if problem]
    return (*problems, *_ambiguous(summary, names))


def _kept(
    catalog: Catalog,
    table: str,
    remembered: Remembered,
    there: Mapping[str, Mapping[str, Any]],
    has_time: Callable[[], bool],
) -> str:
    """Keep a table, and return why that failed, if it did."""
    if table in remembered.conflicts:
        return remembered.conflicts[table]
    if not has_time():
        return "no time was left for it"
    try:
        catalog.keep(table, remembered.columns.tables[table], there.get(catalog_name(table)))
    except (AwsCallError, AwsUnavailableError) as error:
        return one_line(str(error), 500)
    return ""


def _unambiguous(summary: Summary) -> list[str]:
    """Return the tables with Parquet files; of several that would have one name in the catalog the first."""
    names: dict[str, str] = {}
    for table in sorted(name for name, each in summary.details.items() if each.parquet is not None):
        names.setdefault(catalog_name(table), table)
    return list(names.values())


def _ambiguous(summary: Summary, kept: list[str]) -> Iterator[str]:
    for table in sorted(name for name, each in summary.details.items() if each.parquet is not None):
        if table not in kept:
            yield f"{one_line(table, 80)}: the catalog tells no capitals and signs apart, so its name is taken"


def _is_ours(there: Mapping[str, Any], root_uri: str, location: str) -> bool:
    keys = [key["Name"] for key in there.get("PartitionKeys", ())]
    stored = there.get("StorageDescriptor", {})
    return (
        there.get("Parameters", {}).get(MARK) == root_uri
        and keys == [EXPORT_ID]
        and stored.get("Location", "").rstrip("/") == location.rstrip("/")
    )


def _types(columns: Any) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in columns]
