"""S3 layout."""

from datetime import UTC, datetime

import pytest
from export_contracts.layout import Layout, export_id, started_at, table_key

LAYOUT = Layout("bucket", "exports", "prod")
STARTED = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)


def test_given_a_start_time_then_every_key_is_where_the_contract_says():
    assert LAYOUT.day_prefix(STARTED) == "exports/prod-backups/2026/12/11/"
    assert LAYOUT.summary_key(STARTED) == "exports/prod-backups/2026/12/11/export_summary_143022.json.gz"
    assert LAYOUT.manifest_key(STARTED, "runs") == "exports/prod-backups/_runs/20261211T143022Z/runs.json"
    assert LAYOUT.lock_key == "exports/prod-backups/_runs/_current.json"
    assert LAYOUT.latest_key == "exports/prod-backups/latest.json"


def test_given_an_export_id_then_it_leads_back_to_the_start_time():
    assert started_at(export_id(STARTED)) == STARTED


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("dag_run", "dag_run"),
        ("_airflow_moved__2_3__dangling__xcom", "_airflow_moved__2_3__dangling__xcom"),
        ("a/../b", "a%2F..%2Fb"),
        ("a b~c", "a%20b%7Ec"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("A-b.c", "A-b.c"),
    ],
)
def test_given_a_table_name_then_other_characters_are_percent_encoded(table, name):
    assert table_key("p/", "20261211T143022Z", table) == f"p/{name}_143022.csv.gz"
