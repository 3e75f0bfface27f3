"""Where a table's Parquet files go, and what they came to. Nothing here needs pyarrow."""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from metadata_export.errors import StorageError
from metadata_export.log import warning
from metadata_export.parquet_types import ParquetColumn, file_type
from metadata_export.storage import Store

LOOKS = 8  # at a time, each some 20 ms of waiting


@dataclass(frozen=True)
class ParquetTarget:
    """Where the rows of one COPY statement go.

    Args:
        folder: of the table's files of this export; ends in a slash.
        number: of the first file.
        step: from one file to the next, so that the numbers of no two statements meet.
    """

    folder: str
    columns: tuple[ParquetColumn, ...]
    number: int = 1
    step: int = 1


@dataclass(frozen=True)
class ParquetFile:
    """A file that is in S3."""

    number: int
    key: str
    rows: int
    object_bytes: int
    checksum_sha256: str


@dataclass(frozen=True)
class ParquetFiles:
    """What the rows of a statement, or of a table, came to.

    Args:
        nulled: column of the table -> values that Parquet's type cannot hold, and that are NULL in the files.
    """

    files: tuple[ParquetFile, ...] = ()
    nulled: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The rows of all files."""
        return sum(file.rows for file in self.files)

    def to_json(self, target: ParquetTarget) -> dict[str, Any]:
        """Return it as the manifest has it."""
        files = sorted(self.files, key=lambda file: file.number)
        return {
            "columns": columns_json(target),
            "files": [
                {
                    "key": file.key,
                    "rows": file.rows,
                    "object_bytes": file.object_bytes,
                    "checksum_sha256": file.checksum_sha256,
                }
                for file in files
            ],
            "nulled": dict(self.nulled),
        }


def columns_json(target: ParquetTarget) -> list[dict[str, str]]:
    """Return the columns of the files as the manifest has them."""
    return [{"name": each.name, "type": each.type, "source": each.source} for each in target.columns]


def of_statement(target: ParquetTarget | None, index: int, statements: int) -> ParquetTarget | None:
    """Return where the rows of one of a table's statements go."""
    return target and replace(target, number=index + 1, step=statements)


def together(files: Iterable[ParquetFiles]) -> ParquetFiles:
    """Return what several statements of a table came to."""
    every = list(files)
    nulled = sum((Counter(each.nulled) for each in every), Counter[str]())
    return ParquetFiles(tuple(file for each in every for file in each.files), dict(sorted(nulled.items())))


def read_known_columns(store: Store, key: str) -> dict[str, dict[str, str]]:
    """Return table -> column -> ``file_type``, of all columns that the Parquet files of earlier exports have.

    Raises:
        StorageError: it cannot be read. Without it a column might get a second type, which no reader joins.
    """
    try:
        document = store.get_json(key)
        tables = {} if document is None else document["tables"]
        return {
            name: {each["name"]: file_type(each["type"], each["postgresql"]) for each in columns}
            for name, columns in tables.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"s3://{store.bucket}/{key} is damaged ({error!r}), which says which types the columns of Parquet files "
            "have: restore an earlier version of the object, or export without Parquet (Formats)"
        ) from error


def clear(store: Store, folders: Iterable[str]) -> None:
    """Delete the files that an attempt at these tables has left: readers take whatever lies in the folder."""
    with ThreadPoolExecutor(LOOKS) as pool:
        stale = [key for keys in pool.map(store.keys, folders) for key in keys]
        for _ in pool.map(store.delete, stale):
            pass
    if stale:
        warning(f"deleted {len(stale)} Parquet files of an attempt that did not export their table", files=len(stale))


def is_same(entry: Mapping[str, Any], target: ParquetTarget | None) -> bool:
    """Return whether a manifest's entry has the Parquet files that are wanted, or none where there are to be none."""
    parquet = entry.get("parquet")
    if target is None or not isinstance(parquet, dict):
        return parquet is None and target is None
    return parquet.get("columns") == columns_json(target) and isinstance(parquet.get("files"), list)


def is_whole(store: Store, entry: Mapping[str, Any], target: ParquetTarget | None) -> bool:
    """Return whether S3 has the files of an entry, by size and checksum, and no other beside them.

    Raises:
        StorageError: it does not say.
    """
    if target is None:
        return True
    files = entry["parquet"]["files"]
    return sorted(store.keys(target.folder)) == sorted(file["key"] for file in files) and all(
        store.facts(file["key"]) == (file["object_bytes"], file["checksum_sha256"]) for file in files
    )
