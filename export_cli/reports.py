"""Reports for a browser: files of this person in the temporary folder, which do not stay there."""

import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "mwaa-metadata-export-"
_READ_SECONDS = 3600  # after that a browser has long read it


def temporary_report(name: str, body: bytes) -> Path:
    """Write a report where a browser can read it after this process has ended; remove those of before.

    Args:
        name: of the file.
        body: its content.
    """
    _remove_old()
    file = Path(tempfile.mkdtemp(prefix=_PREFIX)) / name
    file.write_bytes(body)
    return file


def _remove_old() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        found = folder.lstat()
        old = time.time() - found.st_mtime > _READ_SECONDS
        if old and found.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
