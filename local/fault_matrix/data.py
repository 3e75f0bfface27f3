"""A small metadata database: the real schema of an Airflow version, with one table that takes some time to read."""

import base64
import random

import psycopg

from local.airflow import dumps
from local.postgres import PostgresServer

TEMPLATE = "AirflowMetadata-untouched"
BIG_TABLE = "log"
BIG_ROWS = 10_000
ROW_BYTES = 900  # that do not compress: the table comes to more than the least that S3 takes as a part
COPY = "COPY log (dttm, dag_id, task_id, event, owner, extra) FROM STDIN"
STATEMENTS = (
    """INSERT INTO job (dag_id, state, job_type, start_date, hostname)
       SELECT 'dag_' || n % 7, 'success', 'SchedulerJob', now() - n * interval '1 hour', 'host, ünï'
       FROM generate_series(1, 200) AS n""",
    """INSERT INTO variable (key, val, description, is_encrypted)
       SELECT 'key_' || n, CASE WHEN n % 2 = 0 THEN 'value ' || n ELSE '' END, E'two\nlines', false
       FROM generate_series(1, 50) AS n""",
    "ANALYZE",
)


def create_template(server: PostgresServer, airflow_version: str) -> None:
    """Make the database that each scenario starts from."""
    url = dumps.restore(server, TEMPLATE, airflow_version)
    numbers = random.Random(4)  # noqa: S311 - no secret
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor().copy(COPY) as copy:
            for number in range(BIG_ROWS):
                extra = base64.b64encode(numbers.randbytes(ROW_BYTES)).decode()
                moment = f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
                copy.write_row((moment, f"dag_{number % 7}", "task", "success", 'airflow, "quoted"', extra))
        for statement in STATEMENTS:
            connection.execute(statement)


def renew(server: PostgresServer, dbname: str) -> None:
    """Put an untouched copy in the place of a database, whoever is connected to it."""
    server.drop_database(dbname)
    server.create_database(dbname, template=TEMPLATE)
