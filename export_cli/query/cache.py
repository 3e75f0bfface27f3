"""What was read of S3, kept on this machine: by what it is, whole, and no more than a limit.

It holds rows of the metadata database in the clear, so nobody else may read the folder.
"""

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from export_cli.files import local

ADVICE = "Make room, or name another folder with --cache."
FOLDER = "MWAA_EXPORT_CACHE"
GIB = 1024**3


def default_folder() -> Path:
    """Return the folder that MWAA_EXPORT_CACHE names, or that of the XDG base directories."""
    if named := os.environ.get(FOLDER):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mwaa-metadata-export"


@dataclass(frozen=True)
class Cache:
    """A folder and how many bytes may stay in it when a command has ended."""

    folder: Path
    limit: int

    def objects(self, bucket: str) -> Path:
        """Return where the summaries of a bucket are kept, below their own keys."""
        return self.folder / "objects" / bucket

    def data(self, *names: str) -> Path:
        """Return where something large is kept; it may be gone when the command has ended."""
        return self.folder.joinpath("data", *names)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Path]:
        """Make the folder, give one for what is temporary, and remove what is too much at the end, the oldest first.

        Raises:
            LocalError: the folder cannot be made or written.
        """
        with local(self.folder, ADVICE):
            for folder in (self.folder, self.folder / "data", self.folder / "objects"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.folder):  # so that no other command takes the new folder for one that was left
                self._remove_left()
                temporary = TemporaryDirectory(prefix="tmp-", dir=self.folder, ignore_cleanup_errors=True)
                lock = _lock(Path(temporary.name))
        try:
            with temporary as name:
                try:
                    yield Path(name)
                finally:
                    self.shrink()
        finally:
            os.close(lock)

    def _remove_left(self) -> None:
        """Remove what is left of a command that could not end: it was killed, or the machine went down."""
        for path in self.folder.glob("tmp-*"):
            with contextlib.suppress(OSError), _locked(path, fcntl.LOCK_NB):  # one that is at work holds it
                shutil.rmtree(path, ignore_errors=True)

    def keep(self, path: Path, body: bytes) -> None:
        """Write a file so that it is whole under its name.

        Raises:
            LocalError: it cannot be written.
        """
        with local(path, ADVICE):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
            partial.write_bytes(body)
            partial.replace(path)

    def shrink(self) -> None:
        """Remove what was not used for longest until no more than the limit is left."""
        found = []
        for path in (self.folder / "data").rglob("*"):
            with contextlib.suppress(OSError):  # another command shrinks too
                if path.is_file():
                    facts = path.stat()
                    found.append((facts.st_mtime_ns, facts.st_size, path))
        too_much = sum(size for _, size, _ in found) - self.limit
        for _, size, path in sorted(found):
            if too_much <= 0:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            too_much -= size


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    lock = _lock(folder, how)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, how: int = 0) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | how)
    except OSError:
        os.close(handle)
        raise
    return handle


def used(path: Path) -> bool:
    """Say whether a kept file is there, and note that it is used."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True
