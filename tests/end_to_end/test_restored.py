"""A real Airflow starts over what was restored of another one's export, and lives on when it is restored under it."""

import os
import time
from collections.abc import Iterator

import psycopg
import pytest
from cryptography.fernet import Fernet

from local import restored
from local.airflow import population, processes
from local.airflow.configuration import Keys
from local.console import Progress
from local.restored import Restored
from tests.waiting import wait_until

from .conftest import Exported

CLEANUP_SECONDS = 2
# How often DAGs are looked for that were not parsed for long, 50 s: these are deactivated.
SETTINGS = {"AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": str(CLEANUP_SECONDS)}


# `make test` boots one over a created database in the demo, and test_create.py compares that with the exported one.
MODES = ("create", "fill") if "AIRFLOW_VERSIONS" in os.environ else ("fill",)


@pytest.fixture(scope="module", params=MODES)
def second(exported: Exported, request: pytest.FixtureRequest) -> Iterator[Restored]:
    """An Airflow over a restored database, of the export that the DAG made: its own run was unfinished then."""
    export_id = exported.by_dag["summary"]["export_id"]
    with restored.booted(exported.stack, export_id, request.param, Progress(), SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def described(exported: Exported, second: Restored) -> dict[str, object]:
    return restored.describe(second, exported.by_dag["summary"]["tables"], Progress())


def test_everything_is_shown_one_new_run_succeeds_and_nothing_else_ran(described: dict[str, object]) -> None:
    assert restored.faults(described) == []


def test_what_is_encrypted_is_read_with_the_new_key(exported: Exported, second: Restored) -> None:
    api = second.airflow.api()
    assert api.call("GET", "/variables/demo_greeting")["value"] == 'good "morning",\n北京'
    with psycopg.connect(second.database_url) as connection:
        [[token]] = connection.execute("SELECT password FROM connection WHERE conn_id = 'demo_warehouse'").fetchall()
    assert Fernet(second.keys.fernet).decrypt(token).decode() == population.WAREHOUSE_PASSWORD
    assert second.keys.fernet != Keys.load_or_create(exported.stack.paths.airflow / "keys.json").fernet


def test_the_export_s_own_run_has_failed_with_a_note(second: Restored) -> None:
    [run] = second.airflow.api().dag_runs(population.EXPORT_DAG)
    assert run["state"] == "failed"
    assert "where its state was running" in run["note"]


def test_all_components_live_on_when_it_is_restored_under_them(exported: Exported, second: Restored) -> None:
    # GIVEN components at work, and an export whose DAGs were parsed long ago
    api = second.airflow.api()
    api.call("PATCH", f"/dags/{restored.RUN_ALONE}", {"is_paused": False})
    for _ in range(3):
        api.trigger(restored.RUN_ALONE)
    wait_until(lambda: any(each["state"] == "running" for each in api.dag_runs(restored.RUN_ALONE)), "a run")
    dags = api.dag_ids()

    # WHEN
    summary = exported.by_dag["summary"]
    rows = restored.restore(exported.stack, summary["export_id"], "--while-running", "--replace")
    before = restored.what_ran(second.database_url)

    # THEN
    assert rows.keys() == summary["tables"].keys()
    assert all(rows[name] == number for name, number in summary["tables"].items() if name != "job")
    time.sleep(3 * CLEANUP_SECONDS)  # every component has sent a heartbeat, and the DAGs were looked at
    assert processes.ended(second.airflow.pids) == []
    parts = api.health()
    assert {"scheduler", "triggerer"} <= parts.keys()
    assert set(parts.values()) - {""} == {"healthy"}
    assert api.dag_ids() == dags
    assert second.run_one(Progress()) == "success"
    since = {(row[0], row[1]) for row in restored.what_ran(second.database_url) ^ before}
    assert {dag_id for dag_id, _ in since} == {restored.RUN_ALONE}
    if second.airflow.version.major == 3:  # tasks of Airflow 2, which write to the database, may bring their run back
        assert len(since) == 1
