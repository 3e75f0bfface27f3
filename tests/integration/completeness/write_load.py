"""A writer that never leaves a moment in which its invariants do not hold.

Each transaction inserts whole runs (one dag run, three task instances with one XCom each, one log row), deletes others,
and moves a token between a table of definitions and one of logs. Rows are copies of aged data, of any Airflow version.
"""

import random
import threading
import uuid
from datetime import timedelta
from types import TracebackType
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.integration.completeness.runs import RECENT

PREFIX = "load "
TASKS = 3
RUNS = 60
TOKENS = 40
TEMPLATE_RUN = "recent"
COPY_ROWS = "INSERT INTO {0} SELECT (jsonb_populate_record(t, %s)).* FROM {0} t WHERE {1}"
OWN_NAMES = {"dag_run": "run_id", "log": "extra", "variable": "key", "import_error": "filename"}
ANY_VARIABLE = "id = (SELECT min(id) FROM variable WHERE id > 0)"
ANY_IMPORT_ERROR = "id = (SELECT min(id) FROM import_error WHERE id > 0)"
RECENT_LOG = "id = (SELECT min(id) FROM log WHERE id BETWEEN 1001 AND 999999)"
COPY_OF_RUN = "run_id = '" + TEMPLATE_RUN + "'"


class Writer:
    """Writes from a thread of its own until it is left; raises then what went wrong in it."""

    def __init__(self, url: str, seed: int = 20261122) -> None:
        self._connection = psycopg.connect(url)
        self._random = random.Random(seed)  # noqa: S311 - a test that can be repeated
        self._next, self._alive = 1_000_000, list[int]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._error: BaseException | None = None
        self.transactions = 0

    def __enter__(self) -> "Writer":
        try:
            self._begin_with_runs_and_tokens()
        except BaseException:
            self._connection.close()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        self._remove_everything()
        if self._error is not None:
            raise self._error

    def _remove_everything(self) -> None:
        with self._connection:  # commits and closes
            self._connection.rollback()
            for table, name in OWN_NAMES.items():
                self._connection.execute(f"DELETE FROM {table} WHERE {name} LIKE %s", [f"{PREFIX}%"])

    def _begin_with_runs_and_tokens(self) -> None:
        for _ in range(RUNS):
            self._insert_run()
        for number in range(TOKENS):
            self._insert("variable", ANY_VARIABLE, id=-1 - number, key=f"{PREFIX}{number}")
        self._connection.commit()

    def _work(self) -> None:
        try:
            while not self._stop.wait(0.002):  # the export needs some of the machine too
                self._transaction()
        except BaseException as error:
            self._error = error

    def _transaction(self) -> None:
        for _ in range(self._random.randint(1, 3)):
            self._insert_run()
        while len(self._alive) > RUNS:
            self._delete_run(self._alive.pop(self._random.randrange(len(self._alive))))
        self._move_token(self._random.randrange(TOKENS))
        self._connection.commit()
        self.transactions += 1

    def _insert_run(self) -> None:
        self._next += 1
        number, name = self._next, f"{PREFIX}{self._next}"
        moment = (RECENT + timedelta(microseconds=number)).isoformat()  # unique for each dag
        self._insert("dag_run", COPY_OF_RUN, id=number, run_id=name, execution_date=moment, logical_date=moment)
        for task in ("extract", "wait", "mapped"):
            one = f"{COPY_OF_RUN} AND task_id = '{task}'"
            self._insert("task_instance", one, run_id=name, id=str(uuid.uuid4()))
            self._insert("xcom", one, run_id=name, dag_run_id=number)
        self._insert("log", RECENT_LOG, id=number, extra=name)
        self._alive.append(number)

    def _delete_run(self, number: int) -> None:
        self._connection.execute("DELETE FROM dag_run WHERE id = %s", [number])  # and by cascade what belongs to it
        self._connection.execute("DELETE FROM log WHERE id = %s", [number])

    def _move_token(self, number: int) -> None:
        key = f"{PREFIX}{number}"
        if self._connection.execute("DELETE FROM variable WHERE key = %s", [key]).rowcount:
            self._insert("import_error", ANY_IMPORT_ERROR, id=-1 - number, filename=key)
        else:
            self._connection.execute("DELETE FROM import_error WHERE filename = %s", [key])
            self._insert("variable", ANY_VARIABLE, id=-1 - number, key=key)

    def _insert(self, table: str, template: str, **changes: Any) -> None:
        statement = COPY_ROWS.format(table, template)
        inserted = self._connection.execute(statement, [Jsonb(changes)]).rowcount
        if inserted != 1:
            raise AssertionError(f"{table}: {inserted} rows are {template}")
