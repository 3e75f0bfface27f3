"""Files on this machine: whole under their final names, and errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from export_cli.errors import LocalError


@contextmanager
def local(path: Path, advice: str) -> Iterator[None]:
    """Translate what the system says inside the block.

    Args:
        path: what is being written.
        advice: what the person can do.

    Raises:
        LocalError: disk full, not allowed, read-only, a folder where a file should be, and so on.
    """
    try:
        yield
    except OSError as error:
        raise LocalError(f"Could not write {path}: {error.strerror or error}. {advice}") from error


class PartialFile:
    """Is written beside its final name, and moved there only when it is kept: a file with that name is whole."""

    def __init__(self, final: Path, advice: str) -> None:
        """Begin it; see ``local`` for arguments and errors."""
        self._final, self._advice = final, advice
        self._partial = final.with_name(f"{final.name}.part")
        with local(final, advice):
            self._file = self._partial.open("wb")

    def write(self, data: bytes) -> None:
        """Write the next bytes; see ``local`` for errors."""
        with local(self._final, self._advice):
            self._file.write(data)

    def keep(self) -> None:
        """Give it its final name; see ``local`` for errors."""
        with local(self._final, self._advice):
            self._file.close()
            self._partial.replace(self._final)

    def discard(self) -> None:
        """Remove what has not been kept."""
        with suppress(OSError):
            self._file.close()  # a full disk may say so only now
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)


@contextmanager
def partial_file(final: Path, advice: str) -> Iterator[PartialFile]:
    """Give a file that is gone afterwards unless it was kept."""
    file = PartialFile(final, advice)
    try:
        yield file
    finally:
        file.discard()
