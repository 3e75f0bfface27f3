"""A run that succeeds: hostile XComs, mapped tasks, a variable, and an asset (dataset) that the next DAG waits for."""

from datetime import UTC, datetime

try:  # Airflow 3
    from airflow.sdk import Asset, dag, task
except ImportError:  # Airflow 2
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import dag, task

ORDERS = Asset("s3://demo-lake/orders")

# What has broken exports before: each of these must come out of the CSV as it went in.
HOSTILE = [
    {"id": 1, "customer": 'O\'Brien, "The Boss"', "note": "first line\nsecond line\r\nthird"},
    {"id": 2, "customer": "Zoë 🚀 北京", "note": None, "path": "C:\\temp\\new", "tab": "a\tb"},
    {"id": 3, "customer": "", "note": "\\N", "nested": {"list": [1, 2.5, True, None, "x,y;z"], "empty": {}}},
]


@dag(
    schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False, tags=["demo", 'quoted "tag", with comma']
)
def demo_orders():
    """Read orders, price each one in a mapped task, and publish them."""

    @task
    def read_orders():
        return HOSTILE

    @task
    def price(order):
        return {**order, "total": order["id"] * 9.99}

    @task(outlets=[ORDERS])
    def publish(orders, greeting):
        print(f"{greeting}: {len(list(orders))} orders")

    publish(price.expand(order=read_orders()), "{{ var.value.get('demo_greeting', 'hello') }}")


demo_orders()
