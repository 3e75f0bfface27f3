"""A DuckDB in memory that installs nothing and has no time zone of the machine's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

import duckdb

INTERVAL = 0.1  # seconds between two interrupts
Result = TypeVar("Result")


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


def interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], Result]) -> Result:
    """Return what a connection's work returns, and let Ctrl-C end it whatever it is in.

    In the main thread DuckDB (2.0.0, seen) hears Ctrl-C, and then waits for the tasks of its other threads without
    telling them, however many hours these take. `interrupt` tells them. So the work has a thread of its own, and this
    one waits for it.

    Args:
        connection: that the work runs statements in, one after another.
        work: runs them.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the work has ended.
        Exception: what the work raises.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(work)
        try:
            return running.result()
        except KeyboardInterrupt:
            while not running.done():  # again: it interrupts the statement of the moment, and none that comes next
                connection.interrupt()
                wait([running], INTERVAL)
            raise
