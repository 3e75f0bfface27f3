"""Lets the real scheduler run the example DAGs, so that the metadata database holds what an export must cope with."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from local.airflow.environment import Progress
from local.airflow.errors import LocalAirflowError
from local.airflow.rest import EVERY_DAG, AirflowApi
from local.airflow.server import LocalAirflow

EXPORT_DAG = "mwaa_metadata_export"
TIMEOUT_SECONDS = 300
POLL_SECONDS = 1.0  # each look costs the web server some of a machine on which everything else works, too
Entry = TypeVar("Entry")
FINAL = {"success", "failed"}
NOTE = 'A note by hand: "quotes", commas, a 🚀\nand a second line'
WAREHOUSE_PASSWORD = 'etl: "of the demo"'
HISTORY_DATES = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z")
# How many runs of each example DAG there must be, and how they must end.
EXPECTED = {
    "demo_orders": (1, "success"),
    "demo_reporting": (1, "success"),
    "demo_trouble": (1, "failed"),
    "demo_history": (len(HISTORY_DATES), "success"),
}


@dataclass(frozen=True)
class DagRun:
    """A run that has ended."""

    dag_id: str
    run_id: str
    state: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.dag_id} {self.run_id}: {self.state}"


@dataclass(frozen=True)
class Population:
    """What the scheduler did."""

    runs: tuple[DagRun, ...]
    seconds: float


def populate(airflow: LocalAirflow, *, progress: Progress = print) -> Population:
    """Run the example DAGs, once, to their expected ends: success, failure, retry, mapped, asset, the past.

    Args:
        airflow: ready (see `server.wait_until_ready`), with the example DAGs.
        progress: called with a line whenever something has changed.

    Raises:
        LocalAirflowError: a run ended otherwise than expected, or the time is over.
    """
    begin = time.monotonic()
    api = airflow.api()
    _create_objects(api)
    # The run that takes longest, and that another one waits for, comes first.
    orders = api.trigger("demo_orders", conf={"source": 'shop "A", 北京'}, note=NOTE)
    api.trigger("demo_trouble", note="This run fails on purpose")
    _start_history(api)
    runs = _wait(lambda: _demo_runs(api), _has_ended, progress)
    api.annotate("demo_orders", orders, "read_orders", NOTE)
    _check(runs)
    return Population(tuple(runs), round(time.monotonic() - begin, 2))


def run_once(airflow: LocalAirflow, dag_id: str, *, progress: Progress = print) -> str:
    """Run a DAG and return the state in which its run ended.

    Raises:
        LocalAirflowError: the time is over.
    """
    api = airflow.api()
    run_id = api.trigger(dag_id)
    look = lambda: [DagRun(dag_id, run_id, api.dag_run(dag_id, run_id)["state"])]  # noqa: E731
    [run] = _wait(look, lambda runs: runs[0].state in FINAL, progress)
    return run.state


def trigger_export(airflow: LocalAirflow, *, conf: dict[str, Any] | None = None) -> str:
    """Trigger the export DAG, `conf` being its params, and return the run's id."""
    return airflow.api().trigger(EXPORT_DAG, conf=conf)


def wait_for_export(
    airflow: LocalAirflow, run_id: str, *, timeout_seconds: float = 900, progress: Progress = print
) -> str:
    """Follow a run of the export DAG, a line per change of a task, and return its final state.

    Raises:
        LocalAirflowError: the time is over.
    """
    api = airflow.api()

    def tasks() -> list[str]:
        instances = api.task_instances(EXPORT_DAG, run_id)
        return [f"{instance['task_id']}: {instance['state'] or 'waiting'}" for instance in instances]

    def has_ended(_: list[str]) -> bool:
        return api.dag_run(EXPORT_DAG, run_id)["state"] in FINAL

    _wait(tasks, has_ended, progress, timeout_seconds)
    for task_id, log in failed_tasks(airflow, run_id).items():
        progress(f"{task_id} failed, see {log}")
    return str(api.dag_run(EXPORT_DAG, run_id)["state"])


def failed_tasks(airflow: LocalAirflow, run_id: str) -> dict[str, Path]:
    """Return the folder with the log of each failed task of a run of the export DAG."""
    folder = airflow.home / "logs" / f"dag_id={EXPORT_DAG}" / f"run_id={run_id}"
    instances = airflow.api().task_instances(EXPORT_DAG, run_id)
    names = [str(instance["task_id"]) for instance in instances if instance["state"] == "failed"]
    return {name: folder / f"task_id={name}" for name in names}


def _create_objects(api: AirflowApi) -> None:
    """Create a variable, a connection and a pool."""
    variable = {"key": "demo_greeting", "value": 'good "morning",\n北京', "description": "greets in the demo's log"}
    connection = {"connection_id": "demo_warehouse", "conn_type": "postgres", "host": "db.example.com", "login": "etl"}
    connection |= {"password": WAREHOUSE_PASSWORD}
    pool = {"name": "demo_pool", "slots": 3, "description": "a pool, with a comma", "include_deferred": False}
    for path, body in (("/variables", variable), ("/connections", connection), ("/pools", pool)):
        api.call("POST", path, body)


def _start_history(api: AirflowApi) -> None:
    if api.major == 2:
        for date in HISTORY_DATES:
            api.trigger("demo_history", date=date)
        return
    window = {"from_date": HISTORY_DATES[0], "to_date": HISTORY_DATES[-1], "max_active_runs": len(HISTORY_DATES)}
    api.call("POST", "/backfills", {"dag_id": "demo_history", "reprocess_behavior": "none", **window})


def _demo_runs(api: AirflowApi) -> list[DagRun]:
    found = [DagRun(run["dag_id"], run["dag_run_id"], run["state"]) for run in api.dag_runs(EVERY_DAG)]
    order = list(EXPECTED)
    ours = [run for run in found if run.dag_id in EXPECTED]
    return sorted(ours, key=lambda run: (order.index(run.dag_id), run.run_id))


def _has_ended(runs: list[DagRun]) -> bool:
    enough = all(sum(run.dag_id == dag_id for run in runs) >= number for dag_id, (number, _) in EXPECTED.items())
    return enough and all(run.state in FINAL for run in runs)


def _check(runs: list[DagRun]) -> None:
    if wrong := [run for run in runs if run.state != EXPECTED[run.dag_id][1]]:
        raise LocalAirflowError(f"the example DAGs did not end as expected: {wrong}")


def _wait(
    look: Callable[[], list[Entry]],
    is_over: Callable[[list[Entry]], bool],
    progress: Progress,
    seconds: float = TIMEOUT_SECONDS,
) -> list[Entry]:
    """Call `look` until `is_over`, telling each entry that is new or has changed."""
    deadline = time.monotonic() + seconds
    told: set[Entry] = set()
    while True:
        entries = look()
        for entry in entries:
            if entry not in told:
                progress(str(entry))
        told |= set(entries)
        if is_over(entries):
            return entries
        if time.monotonic() > deadline:
            raise LocalAirflowError(f"not over after {seconds:.0f} s: {entries}")
        time.sleep(POLL_SECONDS)
