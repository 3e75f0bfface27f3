"""The Airflow versions of Amazon MWAA that the local stack can run."""

from dataclasses import dataclass

from local.airflow.errors import LocalAirflowError

PYTHON = ">=3.11,<3.13"  # Airflow 2.9 and 2.10 have no wheels for 3.13
FAB_AUTH_MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"  # the one of MWAA


@dataclass(frozen=True)
class AirflowVersion:
    """A version, and the day up to which packages are considered when it is installed.

    The day (release and two more days) is what pins every dependency: it gives the amazon and fab providers of
    Airflow's own constraint files, and needs no file from the internet.
    """

    number: str
    packages_until: str

    @property
    def major(self) -> int:
        """2 or 3: they differ in components, REST API, and in what a task may know of the database."""
        return int(self.number.split(".")[0])

    @property
    def requirements(self) -> tuple[str, ...]:
        """What is installed, as `uv pip install` takes it."""
        providers = ("apache-airflow-providers-amazon", "apache-airflow-providers-fab")
        return (f"apache-airflow=={self.number}", *providers, "psycopg2-binary", "asyncpg")


VERSIONS = {
    number: AirflowVersion(number, packages_until)
    for number, packages_until in (
        ("2.9.2", "2024-06-12"),
        ("2.10.3", "2024-11-07"),
        ("2.11.0", "2025-05-22"),
        ("3.0.6", "2025-08-31"),
        ("3.2.1", "2026-04-24"),
        ("3.3.1", "2026-08-14"),
    )
}
NEWEST = "3.3.1"


def find(number: str = NEWEST) -> AirflowVersion:
    """Return the version called `number`; LocalAirflowError names the known ones when it is not among them."""
    try:
        return VERSIONS[number]
    except KeyError:
        raise LocalAirflowError(f"no Airflow {number} here: choose one of {', '.join(VERSIONS)}") from None
