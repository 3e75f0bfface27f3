"""The example DAGs leave in the metadata database what an export must cope with."""

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import psycopg
import pytest

from local.airflow import population, server

from .conftest import Exported


def query(exported: Exported, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(exported.stack.database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def hostile_orders(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The constant of the example DAG, which is imported without Airflow."""
    sdk = ModuleType("airflow.sdk")
    decorator = lambda *_, **__: lambda _function: lambda: None  # noqa: E731
    sdk.__dict__.update(Asset=lambda uri: uri, dag=decorator, task=decorator)
    monkeypatch.setitem(sys.modules, "airflow", ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    spec = importlib.util.spec_from_file_location("demo_orders", server.EXAMPLE_DAGS / "demo_orders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.HOSTILE)


def test_given_the_examples_then_their_runs_end_as_intended(exported: Exported) -> None:
    ends = sorted((run.dag_id, run.state) for run in exported.population.runs)
    history = [("demo_history", "success")] * 3
    assert ends == [*history, ("demo_orders", "success"), ("demo_reporting", "success"), ("demo_trouble", "failed")]


def test_given_the_examples_then_hostile_values_are_in_xcom_as_they_were_returned(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((value,),) = query(
        exported,
        "SELECT value FROM xcom WHERE task_id = 'read_orders' AND key = 'return_value' AND dag_id = 'demo_orders'",
    )
    loaded = value if isinstance(value, list) else json.loads(bytes(value))
    assert loaded == hostile_orders(monkeypatch)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT map_index FROM task_instance WHERE task_id = 'price' ORDER BY 1", [(0,), (1,), (2,)]),
        ("SELECT state, try_number FROM task_instance WHERE task_id = 'fails_once'", [("success", 2)]),
        ("SELECT state FROM task_instance WHERE task_id = 'always_fails'", [("failed",)]),
        ("SELECT state FROM task_instance WHERE task_id = 'never_runs'", [("upstream_failed",)]),
        ("SELECT content FROM task_instance_note", [(population.NOTE,)]),
        ("SELECT count(*) FROM dag_run_note", [(2,)]),
        ("SELECT key FROM variable", [("demo_greeting",)]),
        ("SELECT conn_id FROM connection WHERE conn_id LIKE 'demo%'", [("demo_warehouse",)]),
        ("SELECT slots FROM slot_pool WHERE pool = 'demo_pool'", [(3,)]),
    ],
    ids=["mapped", "retried", "failed", "never run", "task note", "run notes", "variable", "connection", "pool"],
)
def test_given_the_examples_then_the_database_holds(
    exported: Exported, statement: str, expected: list[tuple[Any, ...]]
) -> None:
    assert query(exported, statement) == expected


def test_given_the_examples_then_an_asset_event_triggered_a_run(exported: Exported) -> None:
    noun = "dataset" if exported.stack.airflow.version.major == 2 else "asset"
    assert query(exported, f"SELECT count(*) FROM {noun}_event") == [(1,)]
    assert query(exported, "SELECT run_type::text FROM dag_run WHERE dag_id = 'demo_reporting'") == [
        (f"{noun}_triggered",)
    ]


def test_given_airflow_3_then_the_past_is_a_backfill(exported: Exported) -> None:
    if exported.stack.airflow.version.major == 2:
        pytest.skip("Airflow 2 has no table for backfills")
    assert query(
        exported, "SELECT dag_id, count(*) FROM backfill b JOIN backfill_dag_run r ON r.backfill_id = b.id GROUP BY 1"
    ) == [("demo_history", 3)]
