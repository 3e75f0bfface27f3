"""What DuckDB may read: files by made-up names, `export://3/export_id=20261211T143022Z/0.parquet`, and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from fsspec import AbstractFileSystem

PROTOCOL = "export"
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Readable(Protocol):
    """What DuckDB needs of a file."""

    def tell(self) -> int: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


class _Watched:
    """A file whose failures are noted."""

    def __init__(self, files: "ExportFiles", file: Readable) -> None:
        self._files, self.tell, self.seek, self.close, self._read = files, file.tell, file.seek, file.close, file.read

    def read(self, size: int = -1) -> bytes:
        try:
            return self._read(size)
        except BaseException as error:
            self._files.failure = self._files.failure or error
            raise


class ExportFiles(AbstractFileSystem):  # type: ignore[misc]
    """Opens what was registered. What a file raises is kept, since DuckDB makes an error of its own of it."""

    protocol = PROTOCOL
    cachable = False  # fsspec would give one object to all who ask with the same arguments

    def __init__(self) -> None:
        """Know no file yet."""
        super().__init__()
        self._files: dict[str, tuple[int, Callable[[], Readable]]] = {}
        self.failure: BaseException | None = None

    def register(self, table: int, export_id: str, part: int, size: int, opened: Callable[[], Readable]) -> str:
        """Return the name under which a file of so many bytes can be read.

        Args:
            table: a number, whatever its name is.
            export_id: of which DuckDB makes a column.
            part: of the table.
            size: bytes.
            opened: gives the file; it may be called in any thread.
        """
        path = f"{PROTOCOL}://{table}/export_id={export_id}/{part}.parquet"
        self._files[path] = (size, opened)
        return path

    def _open(self, path: str, mode: str = "rb", **_: Any) -> "_Watched":
        if mode != "rb":
            raise PermissionError(f"{path} can only be read")
        return _Watched(self, self._files[self._name(path)][1]())

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return what is known of a file."""
        name = self._name(path)
        if name not in self._files:
            raise FileNotFoundError(path)
        return {"name": name, "size": self._files[name][0], "type": "file"}

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return a file by its name: there are no patterns."""
        name = self._name(path)
        return [name] if name in self._files else []

    def exists(self, path: str, **_: Any) -> bool:
        """Say whether there is a file."""
        return self._name(path) in self._files

    def modified(self, path: str) -> datetime:
        """Return when a file was written: it never changes."""
        return _LONG_AGO

    def _name(self, path: str) -> str:
        return f"{PROTOCOL}://{path.removeprefix(f'{PROTOCOL}://')}"
