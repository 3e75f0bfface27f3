"""The example DAGs leave in the metadata database what an export must cope with."""

import importlib.util
import json
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from local.airflow import population, server
from local.airflow.population import Population
from tests.integration.airflow.conftest import Running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def populated(running: Running) -> Population:
    return population.populate(running.airflow)


def query(running: Running, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(running.database.url(running.dbname)) as connection:
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


def test_given_the_examples_then_their_runs_end_as_intended(populated: Population) -> None:
    ends = sorted((run.dag_id, run.state) for run in populated.runs)
    history = [("demo_history", "success")] * 3
    assert ends == [*history, ("demo_orders", "success"), ("demo_reporting", "success"), ("demo_trouble", "failed")]


@pytest.mark.usefixtures("populated")
def test_given_the_examples_then_hostile_values_are_in_xcom_as_they_were_returned(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((value,),) = query(
        running,
        "SELECT value FROM xcom WHERE task_id = 'read_orders' AND key = 'return_value' AND dag_id = 'demo_orders'",
    )
    loaded = value if isinstance(value, list) else json.loads(bytes(value))
    assert loaded == hostile_orders(monkeypatch)


@pytest.mark.usefixtures("populated")
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
    running: Running, statement: str, expected: list[tuple[Any, ...]]
) -> None:
    assert query(running, statement) == expected


@pytest.mark.usefixtures("populated")
def test_given_the_examples_then_an_asset_event_triggered_a_run(running: Running) -> None:
    noun = "dataset" if running.airflow.version.major == 2 else "asset"
    assert query(running, f"SELECT count(*) FROM {noun}_event") == [(1,)]
    assert query(running, "SELECT run_type::text FROM dag_run WHERE dag_id = 'demo_reporting'") == [
        (f"{noun}_triggered",)
    ]


@pytest.mark.usefixtures("populated")
def test_given_airflow_3_then_the_past_is_a_backfill(running: Running) -> None:
    if running.airflow.version.major == 2:
        pytest.skip("Airflow 2 has no table for backfills")
    assert query(
        running, "SELECT dag_id, count(*) FROM backfill b JOIN backfill_dag_run r ON r.backfill_id = b.id GROUP BY 1"
    ) == [("demo_history", 3)]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at /proc")
def test_given_airflow_then_it_listens_on_the_loopback_address_only(running: Running) -> None:
    assert _listening(set(running.airflow.pids.values())) == {
        ("127.0.0.1", int(running.airflow.url.rpartition(":")[2]))
    }


def _listening(sessions: set[int]) -> set[tuple[str, int]]:
    """Return address and port of each TCP socket on which a process of the sessions listens (see proc_pid_net(5))."""
    inodes = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) in sessions:
                inodes |= {str(link.readlink()).strip("socket:[]") for link in (stat.parent / "fd").iterdir()}
        except OSError:
            continue  # it has ended meanwhile
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                words = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
                found.add((socket.inet_ntop(family, words), int(port, 16)))
    return found
