"""A DuckDB in memory that installs nothing and has no time zone of the machine's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb


def connected(temporary: Path) -> duckdb.DuckDBPyConnection:
    """Open it; what does not fit into memory goes below ``temporary``."""
    connection = duckdb.connect(
        config={
            "temp_directory": str(temporary / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false; SET parquet_metadata_cache = true")
    return connection


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be what it is everywhere: DuckDB ends a statement with an error of its own, or a bare RuntimeError."""
    try:
        yield
    except (duckdb.InterruptException, RuntimeError) as error:
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise


def execute(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyConnection:
    """Run a statement that Ctrl-C ends, however long DuckDB stays within one of its tasks.

    Python hears Ctrl-C in the main thread alone, and only between two of DuckDB's tasks when that thread runs them; a
    single task may take hours. So another thread runs the statement, and this one waits.

    Raises:
        duckdb.Error: DuckDB refuses it.
        KeyboardInterrupt: Ctrl-C was pressed; the statement has ended.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(connection.execute, statement)
        try:
            return running.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise
