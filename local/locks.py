"""One process at a time: what several commands or tests make at the same place, none finds half made."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Wait until no other process holds this lock, and hold it; it ends with the process, however that ends.

    Args:
        file: is made when missing, and stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
