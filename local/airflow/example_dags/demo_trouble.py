"""A run that fails: one task succeeds at its second try, the next fails, the last never runs."""

from datetime import UTC, datetime, timedelta

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


@dag(schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False, tags=["demo"])
def demo_trouble():
    """Retry, fail, and leave a task behind."""

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def fails_once(ti=None):
        if ti.try_number == 1:
            raise RuntimeError('the first try fails: "on purpose",\nover two lines')
        return "the second try succeeds"

    @task
    def always_fails(text):
        raise ValueError(f"{text}, and then this one fails on purpose")

    @task
    def never_runs():
        return "unreachable"

    always_fails(fails_once()) >> never_runs()


demo_trouble()
