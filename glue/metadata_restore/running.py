"""What a restore beside a running Airflow must leave alone, as measured with 3.3.1.

A component whose row in ``job`` is gone ends at its next heartbeat, and the DAG processor deactivates every DAG that
seems not to have been parsed for long.
"""

from psycopg import sql

from metadata_restore.database import Connection, naming
from metadata_restore.objects import Objects
from metadata_restore.plan import PlannedTable
from metadata_restore.stream import Note, load
from metadata_restore.target import Target, TargetTable, is_running

_BESIDE = sql.Identifier("pg_temp", "restored_job")


def clear_jobs(connection: Connection, job: TargetTable) -> None:
    """Delete the jobs that are not running.

    Raises:
        TargetError: the connection is lost.
    """
    with naming("empty the target's tables"):
        connection.execute(sql.SQL("DELETE FROM {} WHERE {} IS NOT TRUE").format(job.relation, is_running()))


def load_jobs(connection: Connection, objects: Objects, table: PlannedTable, job: TargetTable, note: Note) -> int:
    """Load the jobs of an export but those whose numbers running ones have, and return how many were left out.

    Raises:
        DamagedObjectError, ObjectsUnavailableError, TargetError: see ``load``.
    """
    create = sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP")
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    move = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT DO NOTHING")
    with naming("load the table job"):
        connection.execute(create.format(_BESIDE, job.relation))
    loaded = load(connection, objects, table, _BESIDE, note)
    with naming("load the table job"):
        kept = connection.execute(move.format(job.relation, columns, columns, _BESIDE)).rowcount
    return loaded - kept


def mark_parsed(connection: Connection, target: Target) -> None:
    """Have the restored DAGs count as parsed now.

    Raises:
        TargetError: the connection is lost.
    """
    dag = target.tables.get("dag")
    if dag is not None and dag.has("last_parsed_time"):
        with naming("have the DAGs count as parsed"):
            connection.execute(sql.SQL("UPDATE {} SET last_parsed_time = now()").format(dag.relation))
