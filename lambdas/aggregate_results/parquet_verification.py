"""Are the Parquet files of a table what its manifest says, hold as many rows as its CSV, and lie there alone?"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from export_contracts.exported_table import ExportedTable
from export_contracts.layout import parquet_prefix
from export_contracts.parquet import ParquetFile, ParquetFiles
from export_contracts.plan import Export
from export_runtime.store import ObjectStore
from export_runtime.text import shown

_CONCURRENT_LOOKS = 8


def parquet_problems(tables: Mapping[str, ExportedTable], export: Export, store: ObjectStore) -> list[tuple[str, str]]:
    """Return tables of an export that was to bring Parquet files, each with what is wrong with its files.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with ThreadPoolExecutor(_CONCURRENT_LOOKS) as pool:
        looks = pool.map(lambda name: list(_problems(name, tables[name], export, store)), sorted(tables))
        return [(name, problem) for name, problems in zip(sorted(tables), looks, strict=True) for problem in problems]


def _problems(name: str, table: ExportedTable, export: Export, store: ObjectStore) -> Iterator[str]:
    parquet = table.parquet
    if parquet is None or not parquet.files:
        yield f"table {shown(name)} has no Parquet files"
        return
    if parquet.rows != table.rows:
        yield f"table {shown(name)} has {table.rows} rows in CSV, but {parquet.rows} in Parquet"
    yield from _column_problems(name, table, parquet)
    prefix = parquet_prefix(export.root, name, export.export_id)
    listed = {file.key for file in parquet.files}
    # Readers take whatever lies in the folder: what an earlier attempt left there would be rows that nobody exported.
    for key in sorted(set(store.all_keys(prefix)) ^ listed):
        if key not in listed:
            yield f"object {shown(key)} is not of this export's Parquet files"
        elif not key.startswith(prefix):
            yield f"table {shown(name)} has key {shown(key)}, expected was one below {prefix}"
        else:
            yield f"object {key} does not exist"
    yield from (problem for file in parquet.files if file.key.startswith(prefix) for problem in _damage(file, store))


def _column_problems(name: str, table: ExportedTable, parquet: ParquetFiles) -> Iterator[str]:
    sources = [column.source for column in parquet.columns]
    if sources != [column.name for column in table.columns]:
        yield f"table {shown(name)} has other columns in Parquet than in CSV: {shown(sources)}"
    if unknown := sorted(parquet.nulled.keys() - set(sources)):
        yield f"table {shown(name)} counts NULLs of {shown(unknown)}, which is no column"


def _damage(file: ParquetFile, store: ObjectStore) -> Iterator[str]:
    facts = store.facts(file.key)
    if facts is None:
        return  # said by the listing
    if facts.size != file.object_bytes:
        yield f"object {file.key} has {facts.size} bytes, the manifest says {file.object_bytes}"
    if facts.checksum_sha256 != file.checksum_sha256:
        yield f"object {file.key} has SHA-256 {facts.checksum_sha256}, the manifest says {shown(file.checksum_sha256)}"
