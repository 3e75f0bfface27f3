"""The JDBC driver of PostgreSQL, which Debian packages."""

from pathlib import Path

from local import debian
from local.bench.errors import DriverUnavailableError

PACKAGE = "libpostgresql-jdbc-java"


def ensure(folder: Path) -> Path:
    """Return the driver's jar, downloaded and unpacked into `folder` the first time.

    Raises:
        DriverUnavailableError: this is no Debian, or the package cannot be downloaded.
    """
    try:
        return debian.ensure_file(PACKAGE, "usr/share/java/postgresql.jar", folder)
    except debian.DebianPackageError as error:
        raise DriverUnavailableError(f"the JDBC driver cannot be had: {error}") from error
