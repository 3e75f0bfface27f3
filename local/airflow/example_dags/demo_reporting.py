"""A run that nobody starts: it follows from the asset (dataset) that `demo_orders` publishes."""

from datetime import UTC, datetime

try:  # Airflow 3
    from airflow.sdk import Asset, dag, task
except ImportError:  # Airflow 2
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import dag, task


@dag(
    schedule=[Asset("s3://demo-lake/orders")], start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False, tags=["demo"]
)
def demo_reporting():
    """Report on the orders."""

    @task
    def report():
        return "orders reported"

    report()


demo_reporting()
