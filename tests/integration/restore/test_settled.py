"""What keeps Airflow still over restored rows: paused DAGs, unfinished work that has failed, with a note."""

from typing import Any

import pytest
from metadata_restore.options import Options

from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import EXPORT_ID, Export, execute, export_of, query

VERSIONS = ("2.10.3", "3.3.1")
NOTE_KEY = {"2.10.3": "dag_id, task_id, run_id, map_index", "3.3.1": "ti_id"}
TOLD = f"Restored from export {EXPORT_ID}, where its state was "
UNFINISHED = ("running", "queued", "scheduled", "restarting", "up_for_retry", "up_for_reschedule", "deferred")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def export(version: str, databases: Databases) -> Export:
    """An environment with a DAG that is active, and work in every state."""
    source, _ = databases.aged(version)
    _number_states(source, "dag_run", ["running", "queued", "success"], "end_date = NULL")
    resumed = "end_date = NULL, next_method = 'x', trigger_id = (SELECT min(id) FROM trigger)"
    _number_states(source, "task_instance", [*UNFINISHED, "success", "skipped", None], resumed)
    key = NOTE_KEY[version]
    execute(
        source,
        "UPDATE dag SET is_paused = dag_id NOT IN (SELECT min(dag_id) FROM dag)",
        "UPDATE dag_run_note SET content = 'kept'",
        f"DELETE FROM task_instance_note WHERE ({key}) IN (SELECT {key} FROM task_instance_note OFFSET 1)",
    )
    if version == "3.3.1":
        execute(
            source,
            "UPDATE callback SET (state, type) = ('pending', 'triggerer')",
            "INSERT INTO callback (id, type, fetch_method, data, priority_weight, created_at) "
            "VALUES (gen_random_uuid(), 'dag_processor', 'dag_attribute', '{}', 1, now())",
            "UPDATE deadline SET missed = false",
        )
    return export_of(source)


def test_given_work_in_every_state_when_restored_then_nothing_is_left_for_airflow_to_do(
    version: str, export: Export, databases: Databases
) -> None:
    # GIVEN
    target, before = databases.empty(version), databases.empty(version)
    export.restore(before)  # as exported

    # WHEN
    outcome = export.restore(target, Options())

    # THEN no DAG is active, and it says which one was
    assert query(target, "SELECT count(*) FROM dag WHERE is_paused IS NOT TRUE") == [(0,)]
    assert [(name,) for name in outcome.settled.paused] == query(before, "SELECT dag_id FROM dag WHERE NOT is_paused")

    # AND every run that was unfinished has failed with a note of its state, before the note that it had
    was = dict(query(before, "SELECT id, state FROM dag_run"))
    notes = dict(query(target, "SELECT dag_run_id, content FROM dag_run_note"))
    had = dict(query(before, "SELECT dag_run_id, content FROM dag_run_note"))
    assert {"running", "queued", "success"} == set(was.values())
    for number, state, ended in query(target, "SELECT id, state, end_date IS NOT NULL FROM dag_run"):
        unfinished = was[number] != "success"
        assert state == ("failed" if unfinished else "success")
        assert ended == unfinished
        told = [f"{TOLD}{was[number]}."] if unfinished else []
        assert notes.get(number) == ("\n".join([*told, *([had[number]] if number in had else [])]) or None)

    # AND so has every task instance, but those without a state in a finished run
    failed = _task_states(version, before, target)
    assert {*UNFINISHED, None} <= {state for state, _, _, _ in failed} | {None}
    for state, run_state, now, note in failed:
        ends = state in UNFINISHED or (state is None and run_state != "success")
        assert now == ("failed" if ends else state)
        assert (note or "").startswith(f"{TOLD}{state or 'none'}.") == ends
    resumed = "SELECT count(*) FROM task_instance WHERE state = 'failed' AND num_nonnulls(next_method, trigger_id) > 0"
    assert query(target, resumed) == [(0,)]
    assert query(target, "SELECT count(*) FROM trigger") == query(before, "SELECT count(*) FROM trigger")

    # AND nobody runs a callback
    assert outcome.settled.failed is not None
    assert outcome.settled.removed is not None
    if version == "3.3.1":
        assert query(target, "SELECT DISTINCT state, output FROM callback") == [("failed", f"{TOLD}pending.")]
        assert query(target, "SELECT DISTINCT missed FROM deadline") == [(True,)]
        assert outcome.settled.removed == {"callback": 1}
    else:
        assert query(target, "SELECT count(*) FROM callback_request") == [(0,)]
        assert outcome.settled.removed == {"callback_request": len(query(before, "SELECT 1 FROM callback_request"))}
    assert outcome.settled.failed["dag_run"] == sum(state != "success" for state in was.values())


def _number_states(url: str, table: str, states: list[str | None], more: str) -> None:
    """Give the rows of a table one state after the other."""
    listed = ", ".join(f"'{state}'" if state else "NULL" for state in states)
    numbered = f"SELECT ctid AS place, row_number() OVER () % {len(states)} + 1 AS number FROM {table}"
    state = f"(ARRAY[{listed}])[n.number]"
    execute(url, f"UPDATE {table} t SET state = {state}, {more} FROM ({numbered}) n WHERE t.ctid = n.place")


def _task_states(version: str, before: str, target: str) -> list[tuple[Any, ...]]:
    """Return of each task instance its state, that of its run, its state now, and its note now."""
    key, note = "t.dag_id, t.run_id, t.task_id, t.map_index", NOTE_KEY[version]
    own = "t.id" if version.startswith("3") else ", ".join(f"t.{name}" for name in note.split(", "))
    noted = f"(SELECT content FROM task_instance_note WHERE ({note}) = ({own}))"
    old = {row[:4]: row[4] for row in query(before, f"SELECT {key}, state FROM task_instance t")}
    runs = {row[:2]: row[2] for row in query(before, "SELECT dag_id, run_id, state FROM dag_run")}
    rows = query(target, f"SELECT {key}, state, {noted} FROM task_instance t")
    return [(old[row[:4]], runs.get(row[:2]), row[4], row[5]) for row in rows]
