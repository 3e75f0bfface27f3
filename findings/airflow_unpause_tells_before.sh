#!/usr/bin/env bash
# `airflow dags unpause` of Airflow 3.3.1 prints the table that 2.10.3 prints, with `is_paused` as it was before: `True` of a DAG
# that is not paused any more. `airflow dags pause` likewise. The exit code is 0 each time, and the database is right.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python uv==0.9.18
"$python" -m uv pip install --quiet --python "$python" --exclude-newer 2026-08-14 apache-airflow==3.3.1
export AIRFLOW_HOME="$folder/airflow" AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
airflow=$folder/venv/bin/airflow
mkdir -p "$AIRFLOW_HOME/dags"
cat >"$AIRFLOW_HOME/dags/orders.py" <<'PY'
from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("orders", start_date=datetime(2026, 1, 1), schedule=None):
    EmptyOperator(task_id="load")
PY
"$airflow" db migrate >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"$airflow" dags reserialize >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }

for command in unpause pause; do
  told=$("$airflow" dags $command orders --output plain 2>/dev/null | awk '$1 == "orders" {print $2}')
  is=$("$python" -c 'import sqlite3, sys; print(bool(sqlite3.connect(sys.argv[1]).execute("SELECT is_paused FROM dag").fetchone()[0]))' "$AIRFLOW_HOME/airflow.db")
  echo "Airflow $("$airflow" version 2>/dev/null | tail -1), dags $command: prints is_paused $told, the database has $is"
  case $command in
    unpause) [ "$told $is" = "True False" ] ;;
    pause) [ "$told $is" = "False True" ] ;;
  esac
done
