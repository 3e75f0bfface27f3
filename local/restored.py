"""A second Airflow over a second database, which the command `restore` makes of an export of the first."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from local import asked, postgres
from local.airflow import dumps, environment, population
from local.airflow import server as airflow_server
from local.airflow.configuration import Keys
from local.airflow.server import LocalAirflow
from local.console import Progress
from local.stack import ENVIRONMENT, Stack

DATABASE = "RestoredMetadata"
RUN_ALONE = "demo_orders"  # the DAG that is unpaused in the second Airflow
WHAT_RAN = (
    "SELECT dag_id, run_id, NULL, NULL, state, NULL FROM dag_run "
    "UNION ALL SELECT dag_id, run_id, task_id, map_index, state, try_number FROM task_instance"
)
# What the second Airflow's REST API is asked for, by the table where it is.
COUNTED = {
    "dag_run": "/dags/~/dagRuns?limit=1",
    "task_instance": "/dags/~/dagRuns/~/taskInstances?limit=1",
    "variable": "/variables?limit=1",
    "connection": "/connections?limit=1",
    "slot_pool": "/pools?limit=1",
}


@dataclass(frozen=True)
class Restored:
    """The second Airflow, which runs.

    Args:
        airflow: ready.
        database_url: of its database.
        keys: its own: another Fernet key than the first one's.
        rows: restored, by table, as the command tells.
        ran: runs and task instances with their states before it started.
    """

    airflow: LocalAirflow
    database_url: str
    keys: Keys
    rows: dict[str, int]
    ran: frozenset[tuple[Any, ...]]

    def counts(self) -> dict[str, int]:
        """Return how many entries its REST API has, by table."""
        api = self.airflow.api()
        return {table: int(api.call("GET", path)["total_entries"]) for table, path in COUNTED.items()}

    def run_one(self, progress: Progress) -> str:
        """Unpause one DAG, run it, and return the state in which its run ended."""
        with progress.step(f"The second Airflow runs {RUN_ALONE}") as note:
            self.airflow.api().call("PATCH", f"/dags/{RUN_ALONE}", {"is_paused": False})
            return population.run_once(self.airflow, RUN_ALONE, progress=note)

    def ran_since(self) -> set[tuple[str, str]]:
        """Return DAG and run of everything that is not as it was before this Airflow started."""
        return {(row[0], row[1]) for row in what_ran(self.database_url) ^ self.ran}


@contextlib.contextmanager
def booted(
    stack: Stack, export_id: str, mode: str, progress: Progress, settings: dict[str, str] | None = None
) -> Iterator[Restored]:
    """Restore an export into a database of its own and start an Airflow over it, which is stopped at the end.

    Args:
        stack: that exported; its own Airflow may be stopped.
        export_id: of the export.
        mode: `create` or `fill`.
        progress: told of every step.
        settings: more variables for Airflow's processes.

    Raises:
        CommandError: the restore failed.
        LocalAirflowError: Airflow does not start over what was restored.
    """
    home = stack.paths.restored
    home.mkdir(parents=True, exist_ok=True)
    url = stack.database.create_database(DATABASE, template="template0")
    try:
        if mode == "fill":
            dumps.fill(url, stack.airflow.number)
        keys = Keys.load_or_create(home / "keys.json")
        with progress.step("The export is restored into a second database"):
            rows = restore(stack, export_id, "--mode", mode)
        ran = what_ran(url)
        with progress.step("A second Airflow over the restored database") as note:
            airflow = _started(stack, url, settings or {})
            airflow_server.wait_until_ready(airflow, progress=note)
        yield Restored(airflow, url, keys, rows, ran)
    finally:
        airflow_server.stop(home)
        stack.database.drop_database(DATABASE)


def restore(stack: Stack, export_id: str, *arguments: str) -> dict[str, int]:
    """Restore an export into the second database, encrypted for the second Airflow, and return the rows by table.

    Raises:
        CommandError: it failed.
    """
    keys = {}
    for option, home in (("--old-fernet-key", stack.paths.airflow), ("--fernet-key", stack.paths.restored)):
        file = stack.paths.restored / f"fernet-key{option}"
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(Keys.load_or_create(home / "keys.json").fernet)
        keys[option] = f"file:{file}"
    to = f"postgresql://{postgres.USER}@{postgres.HOST}:{stack.database.port}/{DATABASE}"
    given = ["restore", export_id, "--to", to, *arguments, *(part for item in keys.items() for part in item)]
    printed = asked.command(stack, *given, "--yes", "--json", PGPASSWORD=stack.database.password)
    rows: dict[str, int] = json.loads(printed)["restored"]["rows"]
    return rows


def describe(restored: Restored, exported: dict[str, int], progress: Progress) -> dict[str, Any]:
    """Return what the second Airflow shows, beside what was exported, and how a new run there ended.

    Args:
        exported: rows by table, as the summary tells.
    """
    health, counts = restored.airflow.api().health(), restored.counts()
    state = restored.run_one(progress)
    return {
        "rows": restored.rows,
        "tables": {name: {"exported": exported[name], "second_airflow": number} for name, number in counts.items()},
        "health": health,
        "new_run": {"dag_id": RUN_ALONE, "state": state},
        "ran": sorted(restored.ran_since()),
    }


def show(described: dict[str, Any], progress: Progress) -> None:
    """Print it."""
    progress.table(
        "Two Airflows side by side",
        ["table", "exported from the first ", "shown by the second "],
        ([name, each["exported"], each["second_airflow"]] for name, each in described["tables"].items()),
    )
    progress.note(f"restored: {len(described['rows'])} tables, {sum(described['rows'].values()):,} rows")
    progress.note("health:   " + ", ".join(f"{part} {state}" for part, state in described["health"].items() if state))
    ran = ", ".join(f"{dag_id} {run_id}" for dag_id, run_id in described["ran"])
    progress.note(f"ran:      {ran}: {described['new_run']['state']}; nothing else, for all other DAGs are paused")


def faults(described: dict[str, Any]) -> list[str]:
    """Return what is not as it must be."""
    found = [
        f"{name}: {each['exported']} exported, {each['second_airflow']} in the second Airflow"
        for name, each in described["tables"].items()
        if each["exported"] != each["second_airflow"]
    ]
    found += [f"{part} is {state}" for part, state in described["health"].items() if state not in ("", "healthy")]
    if described["new_run"]["state"] != "success":
        found.append(f"the new run ended {described['new_run']['state']}")
    if [dag_id for dag_id, _ in described["ran"]] != [described["new_run"]["dag_id"]]:
        found.append(f"this ran, and no more than one run should: {described['ran']}")
    return found


def what_ran(url: str) -> frozenset[tuple[Any, ...]]:
    """Return all runs and task instances of a database with their states."""
    with psycopg.connect(url) as connection:
        return frozenset(connection.execute(WHAT_RAN.encode()).fetchall())


def _started(stack: Stack, url: str, settings: dict[str, str]) -> LocalAirflow:
    # Without AWS: the tasks that run here need none.
    return airflow_server.start(
        environment.ensure(stack.airflow.number),
        home=stack.paths.restored,
        logs=stack.paths.restored / "components",
        database_url=url,
        environment_name=ENVIRONMENT,
        aws_env=settings,
    )
