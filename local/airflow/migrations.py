"""Makes or upgrades a metadata schema with the real Airflow of a version."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from local import processes
from local.airflow.environment import ensure
from local.airflow.versions import FAB_AUTH_MANAGER

KEPT = ("PATH", "LANG", "TZ")  # of this process: an AIRFLOW__... of the developer must not decide what is tested
FERNET_KEY = "c2NoZW1hcy1vZi10aGUtdGVzdHMtb25seS0zMi1ieXQ="


def migrate(version: str, url: str) -> None:
    """Bring a database to the schema of an Airflow version, as MWAA runs it: an empty one, or one of an older version.

    Args:
        version: one of `local.airflow.versions.VERSIONS`; installed when it is missing.
        url: libpq URL of the database; its owner's.

    Raises:
        CommandError: `airflow db migrate` failed.
        LocalAirflowError: Airflow cannot be installed.
    """
    _run(version, url, ["db", "migrate"])


def create_admin(version: str, url: str, name: str) -> None:
    """Create a user with the role Admin whose password is its name: the server listens on 127.0.0.1 only.

    Raises:
        CommandError: `airflow users create` failed.
    """
    person = ["--firstname", "Local", "--lastname", "Admin", "--email", "admin@example.com"]
    _run(version, url, ["users", "create", "--role", "Admin", "--username", name, *person, "--password", name])
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE ab_user SET password = %s WHERE username = %s", [_quickly_checked(name), name])


def _quickly_checked(password: str) -> str:
    """Hash a password that is none: Airflow 2 checks it with every request, with Airflow's own hash for 0.2 s."""
    salt = "local"
    return f"pbkdf2:sha256:1${salt}${hashlib.pbkdf2_hmac('sha256', password.encode(), salt.encode(), 1).hex()}"


@contextmanager
def airflow_command(version: str, url: str, arguments: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Start a command of Airflow's on a database; it is killed at the end if it has not ended.

    Args:
        version: one of `local.airflow.versions.VERSIONS`; installed when it is missing.
        url: libpq URL of the database.
        arguments: without the program's name.
    """
    environment = ensure(version, progress=lambda line: None)
    with (
        tempfile.TemporaryDirectory(prefix="airflow-") as home,
        subprocess.Popen(
            [environment.airflow, *arguments],
            env=_settings(environment.version.major, url, Path(home)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _run(version: str, url: str, arguments: Sequence[str]) -> None:
    environment = ensure(version, progress=lambda line: None)
    with tempfile.TemporaryDirectory(prefix="airflow-") as home:
        settings = _settings(environment.version.major, url, Path(home))
        processes.run([str(environment.airflow), *arguments], env=settings, cwd=Path(home))


def _settings(major: int, url: str, home: Path) -> dict[str, str]:
    settings = {name: os.environ[name] for name in KEPT if name in os.environ}
    settings |= {
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url.replace("postgresql://", "postgresql+psycopg2://", 1),
    }
    if major >= 3:  # in 3.x the tables ab_* belong to the provider
        settings["AIRFLOW__CORE__AUTH_MANAGER"] = FAB_AUTH_MANAGER
    return settings
