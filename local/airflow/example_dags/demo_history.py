"""Runs of the past: backfilled on Airflow 3, started for past dates on Airflow 2. Its task needs no worker."""

from datetime import UTC, datetime

try:  # Airflow 3
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import dag
except ImportError:  # Airflow 2
    from airflow.decorators import dag
    from airflow.operators.empty import EmptyOperator


@dag(
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    end_date=datetime(2024, 1, 31, tzinfo=UTC),
    catchup=False,
    tags=["demo"],
)
def demo_history():
    """Pass a milestone each day."""
    EmptyOperator(task_id="milestone")


demo_history()
