"""The revisions of the schema, which Alembic keeps in tables of its own: a restore needs to know them."""

from psycopg import sql

from metadata_export.catalog import Catalog
from metadata_export.errors import SourceError
from metadata_export.from_clause import relation
from metadata_export.heaps import PUBLIC
from metadata_export.log import warning
from metadata_export.source import Connection, naming, savepoint

AIRFLOW = "alembic_version"
WHY = (
    "Without it nobody could tell into which schema the files fit, and no restore would take them. Airflow's own role "
    f"can read it: let this one (GRANT SELECT ON {AIRFLOW})"
)


def read_alembic_heads(connection: Connection, catalog: Catalog) -> dict[str, list[str]]:
    """Return version table -> its heads: providers (FAB, Edge) have version tables of their own.

    Raises:
        SourceError: that of Airflow itself cannot be read. Any other one is left out.
    """
    heads: dict[str, list[str]] = {}
    for table in catalog.tables.values():
        if table.schema != PUBLIC or not table.name.startswith(AIRFLOW) or not table.has("version_num"):
            continue
        query = sql.SQL("SELECT version_num FROM {} AS t0 ORDER BY 1").format(relation(table))
        try:
            with naming(f"read {table.name}"), savepoint(connection):
                heads[table.name] = [str(row[0]) for row in connection.execute(query).fetchall()]
        except SourceError as error:
            if error.transient:
                raise
            if table.name == AIRFLOW:
                raise SourceError(f"{error}. {WHY}") from error
            warning(f"the heads of {table.name} are not known: {error}", table=table.name)
    return heads
