"""Databases of a kind: an Airflow version as its migration leaves it, or the oldest chosen, upgraded to the newest."""

import os
import uuid

import psycopg
from plan_export.table_registry import TABLES
from psycopg import sql

from local.airflow.dumps import restore
from local.airflow.migrations import migrate
from local.airflow.versions import NEWEST, VERSIONS, find
from local.postgres import PostgresServer
from tests.integration.completeness.aged_data import UNTOUCHED, AgedData, fill
from tests.integration.completeness.live_catalog import read_live_catalog
from tests.integration.completeness.values import PICKLED

DEFAULT_VERSIONS = "2.10.3,3.3.1"  # `make test-versions` takes all six
CHOSEN = tuple(
    find(number.strip()).number for number in os.environ.get("AIRFLOW_VERSIONS", DEFAULT_VERSIONS).split(",")
)
ALL_CHOSEN = set(CHOSEN) == set(VERSIONS)
OLDEST = CHOSEN[0] if find(CHOSEN[0]).major == 2 else "2.10.3"
UPGRADED = f"{OLDEST} upgraded to {NEWEST}"
DATED = tuple(table.name for table in TABLES if table.window == "date")


class Databases:
    """Makes databases on one server; the slow part of each kind is done once."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._templates: set[str] = set()
        self._aged: dict[str, AgedData] = {}

    def empty(self, kind: str) -> str:
        """Return the URL of a new database with the schema of a kind, and at most the rows that a migration makes.

        Args:
            kind: an Airflow version; or UPGRADED, once `aged` has made one.
        """
        self._restore(kind)
        return self.server.create_database(f"{kind}-{uuid.uuid4().hex[:8]}", template=kind)

    def aged(self, kind: str) -> tuple[str, AgedData]:
        """Return the URL of a new database of a kind with aged data, and what that data tells."""
        template = f"aged-{kind.replace(' ', '-')}"  # Airflow's driver does not decode a name in a URL
        if kind not in self._aged:
            self._aged[kind] = self._age(kind, template)
        return self.server.create_database(f"{kind}-{uuid.uuid4().hex[:8]}", template=template), self._aged[kind]

    def _age(self, kind: str, template: str) -> AgedData:
        base = OLDEST if kind == UPGRADED else kind
        self._restore(base)
        url = self.server.create_database(template, template=base)
        with psycopg.connect(url) as connection:
            data = fill(connection, DATED)
            if kind == UPGRADED:  # what cannot be converted: the upgrade leaves it behind in _xcom_archive
                connection.execute("UPDATE xcom SET value = %s WHERE task_id = 'extract'", [PICKLED])
        if kind == UPGRADED:
            migrate(NEWEST, url)
            self._keep_emptied(template, kind)
        return data

    def _restore(self, version: str) -> None:
        if version not in self._templates:
            restore(self.server, version, version)
            self._templates.add(version)

    def _keep_emptied(self, dbname: str, kind: str) -> None:
        url = self.server.create_database(kind, template=dbname)
        with psycopg.connect(url) as connection:
            tables = set(read_live_catalog(connection).columns) - set(UNTOUCHED)
            names = sql.SQL(", ").join(sql.Identifier("public", table) for table in sorted(tables))
            connection.execute(sql.SQL("TRUNCATE {}").format(names))
        self._templates.add(kind)
