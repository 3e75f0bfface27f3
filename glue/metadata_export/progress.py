"""What the log says while it goes on: one line per large table, one every few seconds, one at the end."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from metadata_export.log import info

INTERVAL_SECONDS = 10.0
MB = 1_000_000


@dataclass
class Progress:
    """Counts what is done of what there is; safe to use from several threads.

    Args:
        tables: how many tables this run exports.
        disk_bytes: their size in the database, by which the rest is estimated.
    """

    tables: int
    disk_bytes: int
    clock: Callable[[], float] = time.monotonic
    rows: int = 0
    csv_bytes: int = 0
    object_bytes: int = 0
    _tables_done: int = 0
    _disk_bytes_done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: float = 0.0
    _logged: float = 0.0

    def __post_init__(self) -> None:
        """Start the clock."""
        self._started = self._logged = self.clock()

    def work_done(self, rows: int, csv_bytes: int, disk_bytes: int) -> None:
        """Count a finished task, and say where the run stands when it has not been said for a while."""
        with self._lock:
            self.rows += rows
            self.csv_bytes += csv_bytes
            self._disk_bytes_done += disk_bytes
            if self.clock() - self._logged >= INTERVAL_SECONDS:
                self._logged = self.clock()
                self._log_progress()

    def table_done(self, object_bytes: int) -> None:
        """Count a finished table."""
        with self._lock:
            self._tables_done += 1
            self.object_bytes += object_bytes

    def finished(self) -> None:
        """Say what the run came to."""
        seconds = max(self.clock() - self._started, 0.001)
        info(
            f"exported {self._tables_done} tables: {self.rows:,} rows, {self.csv_bytes / MB:,.1f} MB of CSV, "
            f"{self.object_bytes / MB:,.1f} MB of gzip in {seconds:.1f} s ({self.csv_bytes / MB / seconds:,.1f} MB/s)",
            tables=self._tables_done,
            rows=self.rows,
            csv_bytes=self.csv_bytes,
            object_bytes=self.object_bytes,
            seconds=round(seconds, 3),
        )

    def _log_progress(self) -> None:
        seconds = max(self.clock() - self._started, 0.001)
        share = min(1.0, self._disk_bytes_done / self.disk_bytes) if self.disk_bytes else 0.0
        left = seconds / share - seconds if share else 0.0
        info(
            f"{self._tables_done} of {self.tables} tables, {self.rows:,} rows, "
            f"{self.csv_bytes / MB / seconds:,.1f} MB/s, about {left:.0f} s left",
            tables_done=self._tables_done,
            rows=self.rows,
            csv_bytes=self.csv_bytes,
            seconds=round(seconds, 3),
            seconds_left=round(left),
        )
