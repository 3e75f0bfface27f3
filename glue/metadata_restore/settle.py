"""What keeps Airflow from doing something on its own when it starts over restored rows.

Seen in 3.3.1: two seconds after its start the scheduler runs ``running`` and ``queued`` task instances again, deferred
ones are resumed, schedules fire, missed deadlines and pending callbacks are handled. So DAGs are paused, and what was
unfinished is failed, with a note of its state.

It is SQL after the rows are there: of millions of rows a few are concerned.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from metadata_restore.database import Connection, naming
from metadata_restore.options import FAIL, Options
from metadata_restore.target import TargetTable

FINISHED_RUN = ("success", "failed")
FINISHED_TASK = ("success", "failed", "skipped", "upstream_failed", "removed")
"""airflow.utils.state.State.finished, the same in 2.9 to 3.3"""
FINISHED_CALLBACK = ("success", "failed")
NOTE_LENGTH = 1000  # of the notes' content


@dataclass(frozen=True)
class Settled:
    """What was changed.

    Args:
        paused: the DAGs that were active.
        failed: how many were unfinished, by table.
        removed: how many requests to run a DAG's callbacks are gone, by table: the DAG processor runs what is there.
    """

    paused: tuple[str, ...] = ()
    failed: Mapping[str, int] | None = None
    removed: Mapping[str, int] | None = None


def settle(
    connection: Connection, tables: Mapping[str, TargetTable], loaded: Collection[str], export_id: str, options: Options
) -> Settled:
    """Pause and fail what the options say, within the connection's transaction.

    Args:
        tables: of the target, by name.
        loaded: those whose rows were restored: no other is touched, but the notes.
        export_id: for the notes.

    Raises:
        TargetError: the role may not, or the connection is lost.
    """
    here = {name: table for name, table in tables.items() if name in loaded}
    paused = _pause(connection, here) if options.paused else ()
    if options.unfinished != FAIL:
        return Settled(paused)
    failed = {
        "task_instance": _fail_tasks(connection, tables, here, export_id),
        "dag_run": _fail_runs(connection, tables, here, export_id),
        "callback": _fail_callbacks(connection, here, export_id),
        "deadline": _miss_deadlines(connection, here),
    }
    return Settled(paused, {name: number for name, number in failed.items() if number}, _remove(connection, here))


def _pause(connection: Connection, here: Mapping[str, TargetTable]) -> tuple[str, ...]:
    if "dag" not in here:
        return ()
    with naming("pause the restored DAGs"):
        rows = connection.execute(
            sql.SQL("UPDATE {} SET is_paused = true WHERE is_paused IS NOT TRUE RETURNING dag_id").format(
                here["dag"].relation
            )
        ).fetchall()
    return tuple(sorted(str(row[0]) for row in rows))


def _fail_tasks(
    connection: Connection, tables: Mapping[str, TargetTable], here: Mapping[str, TargetTable], export_id: str
) -> int:
    """Fail task instances that are unfinished, and those without a state whose run is."""
    if "task_instance" not in here:
        return 0
    task = here["task_instance"]
    by_id = task.has("id") and "task_instance_note" in tables and tables["task_instance_note"].has("ti_id")
    key = ["id"] if by_id else ["task_id", "dag_id", "run_id", "map_index"]
    of_unfinished: sql.Composable = sql.SQL("false")
    if "dag_run" in tables:
        of_unfinished = sql.SQL(
            "state IS NULL AND EXISTS (SELECT FROM {} r WHERE r.dag_id = t.dag_id AND r.run_id = t.run_id AND {})"
        ).format(tables["dag_run"].relation, _unfinished("r.state", FINISHED_RUN))
    query = sql.SQL(
        """
WITH unfinished AS (
  SELECT {key}, state FROM {task} t WHERE state NOT IN ({finished}) OR {of_unfinished}
), failed AS (
  UPDATE {task} t SET state = 'failed', end_date = COALESCE(t.end_date, GREATEST(t.start_date, {moment})), {cleared}
  FROM unfinished u WHERE {same} RETURNING 1
), noted AS ({note})
SELECT count(*) FROM failed"""
    ).format(
        key=_names(key),
        task=task.relation,
        finished=_texts(FINISHED_TASK),
        of_unfinished=of_unfinished,
        moment=_moment(export_id),
        # what the triggerer would resume, or find at the next try
        cleared=_set_null(task, "trigger_id", "trigger_timeout", "next_method", "next_kwargs"),
        same=sql.SQL(" AND ").join(sql.SQL("t.{0} = u.{0}").format(sql.Identifier(name)) for name in key),
        note=_note(tables.get("task_instance_note"), ["ti_id"] if by_id else key, key, export_id),
    )
    return _count(connection, query, "fail the unfinished task instances")


def _fail_runs(
    connection: Connection, tables: Mapping[str, TargetTable], here: Mapping[str, TargetTable], export_id: str
) -> int:
    if "dag_run" not in here:
        return 0
    query = sql.SQL(
        """
WITH unfinished AS (
  SELECT id, state FROM {run} t WHERE {condition}
), failed AS (
  UPDATE {run} t SET state = 'failed', end_date = COALESCE(t.end_date, GREATEST(t.start_date, {moment}))
  FROM unfinished u WHERE t.id = u.id RETURNING 1
), noted AS ({note})
SELECT count(*) FROM failed"""
    ).format(
        run=here["dag_run"].relation,
        condition=_unfinished("t.state", FINISHED_RUN),
        moment=_moment(export_id),
        note=_note(tables.get("dag_run_note"), ["dag_run_id"], ["id"], export_id),
    )
    return _count(connection, query, "fail the unfinished dag runs")


def _fail_callbacks(connection: Connection, here: Mapping[str, TargetTable], export_id: str) -> int:
    """Fail callbacks that an executor or the triggerer would run (from Airflow 3.2)."""
    if "callback" not in here or not here["callback"].has("state", "output", "type"):
        return 0
    query = sql.SQL(
        "WITH failed AS (UPDATE {} SET state = 'failed', output = {} || state || '.' WHERE state NOT IN ({}) "
        "RETURNING 1) SELECT count(*) FROM failed"
    ).format(here["callback"].relation, sql.Literal(_told(export_id)), _texts(FINISHED_CALLBACK))
    return _count(connection, query, "fail the pending callbacks")


def _miss_deadlines(connection: Connection, here: Mapping[str, TargetTable]) -> int:
    """Have deadlines that are still to come count as handled (from Airflow 3.2)."""
    if "deadline" not in here or not here["deadline"].has("missed"):
        return 0
    query = sql.SQL(
        "WITH missed AS (UPDATE {} SET missed = true WHERE NOT missed RETURNING 1) SELECT count(*) FROM missed"
    ).format(here["deadline"].relation)
    return _count(connection, query, "end the deadlines that are still to come")


def _remove(connection: Connection, here: Mapping[str, TargetTable]) -> dict[str, int]:
    """Remove what the DAG processor would run, which knows no state."""
    removed: dict[str, int] = {}
    conditions = {"callback_request": "true", "callback": "type = 'dag_processor'"}
    for name, condition in conditions.items():
        if name in here and (name == "callback_request" or here[name].has("type")):
            query = sql.SQL("WITH gone AS (DELETE FROM {} WHERE {} RETURNING 1) SELECT count(*) FROM gone")
            found = _count(connection, query.format(here[name].relation, sql.SQL(condition)), "remove callbacks")
            removed |= {name: found} if found else {}
    return removed


def _note(table: TargetTable | None, key: list[str], from_key: list[str], export_id: str) -> sql.Composable:
    """Return the statement that writes a note for each unfinished row, before one that is there."""
    if table is None:
        return sql.SQL("SELECT")
    return sql.SQL(
        "INSERT INTO {table} AS n ({key}, content, created_at, updated_at) "
        "SELECT {from_key}, {told} || COALESCE(state, 'none') || '.', now(), now() FROM unfinished "
        "ON CONFLICT ({key}) DO UPDATE SET updated_at = now(), "
        "content = left(concat_ws(E'\\n', EXCLUDED.content, n.content), {length})"
    ).format(
        table=table.relation,
        key=_names(key),
        from_key=_names(from_key),
        told=sql.Literal(_told(export_id)),
        length=sql.Literal(NOTE_LENGTH),
    )


def _told(export_id: str) -> str:
    return f"Restored from export {export_id}, where its state was "


def _moment(export_id: str) -> sql.Composable:
    """Return when the export was made: what was unfinished then ended no earlier."""
    made = datetime.strptime(export_id, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return sql.SQL("{}::timestamptz").format(sql.Literal(made.isoformat()))


def _unfinished(column: str, finished: Collection[str]) -> sql.Composable:
    return sql.SQL("({0} IS NULL OR {0} NOT IN ({1}))").format(sql.SQL(column), _texts(finished))


def _set_null(table: TargetTable, *columns: str) -> sql.Composable:
    known = [name for name in columns if table.has(name)]
    return sql.SQL(", ").join(sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in known)


def _names(names: Collection[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _texts(texts: Collection[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Literal, texts))


def _count(connection: Connection, query: sql.Composed, action: str) -> int:
    with naming(action):
        return int(str(connection.execute(query).fetchall()[0][0]))
