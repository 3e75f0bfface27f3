"""The second way that the rows of a COPY go, where Parquet is wanted: pyarrow is imported then, and only then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from metadata_export.errors import TableError
from metadata_export.parquet_target import ParquetFiles, ParquetTarget
from metadata_export.storage import Store

if TYPE_CHECKING:
    from metadata_export.parquet_file import ParquetRows

Write = Callable[[bytes], object]


def load_pyarrow() -> None:
    """Import pyarrow, so that the first rows need not wait for it."""
    import metadata_export.parquet_file  # noqa: F401


@contextmanager
def parquet_sink(store: Store, target: ParquetTarget | None) -> "Iterator[ParquetRows | None]":
    """Give what takes the rows of a statement, or None; a file that an error has left unfinished is let go of."""
    if target is None:
        yield None
        return
    from metadata_export.parquet_file import ParquetRows

    rows = ParquetRows(store, target)
    try:
        yield rows
    except BaseException:
        rows.close()
        raise


def to_both(write: Write, parquet: "ParquetRows | None") -> Write:
    """Return what hands rows to `write`, and to Parquet where it is wanted."""
    if parquet is None:
        return write

    def both(rows: bytes) -> None:
        write(rows)
        parquet.write(rows)

    return both


def parquet_of(table: str, rows: int, parquet: "ParquetRows | None") -> ParquetFiles | None:
    """Finish the files of a statement, and return them.

    Raises:
        TableError: they have another number of rows than PostgreSQL has sent.
    """
    if parquet is None:
        return None
    files = parquet.finish()
    if files.rows != rows:
        raise TableError(f"export the table {table} as Parquet: {files.rows:,} rows were written, of {rows:,}")
    return files
