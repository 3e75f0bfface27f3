"""The PostgreSQL that a drill brings: what `sam build` made of the package (lambdas/packaging/drill_database.py)."""

import lzma
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from metadata_proof.errors import ScratchError
from metadata_proof.scratch import PACKAGE


@contextmanager
def unpacked(archive: BinaryIO) -> Iterator[Path]:
    """Unpack an archive, yield the folder of the package's files, and remove it at the end.

    AWS assumed: the Python of Glue can unpack xz, which is part of its standard library.

    Raises:
        ScratchError: it is no such archive.
    """
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        Path(folder).chmod(0o755)  # of root the server runs as somebody else
        try:
            with tarfile.open(fileobj=archive, mode="r:xz") as packed:
                packed.extractall(folder, filter="data")
        except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
            raise ScratchError(f"The PostgreSQL of the drill cannot be unpacked: {error}. Publish it again") from error
        yield Path(folder) / PACKAGE
