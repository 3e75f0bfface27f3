"""Each question has the same answer in DuckDB's dialect and in Athena's, which Spark runs here: Athena cannot be had.

Trino, which Athena is, and Spark agree in what the questions use: the grammar is sqlglot's Athena, and what differs in
meaning (date_diff, division of integers, percentiles) is not used, or made of what both have.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from export_cli.query.questions import ATHENA, DUCKDB, HISTORY, TWO_EXPORTS, Question, questions
from export_cli.query.views import history_select
from tests.integration.readers.test_in_java import SPARKS, done_in_spark

EXPORTS = ("20261209T143022Z", "20261210T143022Z", "20261211T143022Z")
HOSTILE = "a'b\"c\n<i>,ü"
# Rows of three days of exports; a number decides about everything, and an export has the runs of its last two days.
TABLES = {
    "dag_run": """
        SELECT n AS id, 'dag' || n % 7 AS dag_id, ['success', 'failed', 'running', NULL][1 + n % 4] AS state,
               CASE WHEN n % 9 > 0 THEN TIMESTAMPTZ '2026-11-29 21:30:00+00' + INTERVAL (n * 97) MINUTE END
                   AS start_date,
               start_date + INTERVAL (n % 50 * 61001) MILLISECOND AS end_date""",
    "task_instance": """
        SELECT 'dag' || n % 5 AS dag_id, [$hostile, 'load', 'test'][1 + n % 3] AS task_id,
               CASE WHEN n % 11 > 0 THEN n * 1.7320508e0 % 300 END AS duration,
               ['default_pool', $hostile][1 + n % 2] AS pool,
               CASE WHEN n % 10 > 0 THEN TIMESTAMPTZ '2026-12-01 00:00:00+00' + INTERVAL (n * 1013) MILLISECOND END
                   AS queued_dttm,
               TIMESTAMPTZ '2026-12-01 00:00:09.123456+00' + INTERVAL (n * 1009) MILLISECOND AS start_date""",
    "log": """
        SELECT ['trigger', 'TRIGGER_dag_run', 'paused', 'success'][1 + n % 4] AS event,
               TIMESTAMPTZ '2026-12-01 00:00:00+00' + INTERVAL (n * 977) SECOND AS dttm,
               CASE WHEN n % 13 > 0 THEN 'dag' || n % 6 END AS dag_id, ['jo', $hostile, NULL][1 + n % 3] AS owner""",
    "xcom": """
        SELECT 'dag' || n % 6 AS dag_id, 'task' || n % 2 AS task_id, ['return_value', $hostile][1 + n % 2] AS key,
               {value} AS value""",
    "dag": """
        SELECT 'dag' || n AS dag_id, n % 3 = 0 AND $day > 1 AS is_paused,
               CASE WHEN n % 5 > 0 THEN 'at ' || (n + CASE WHEN n % 4 = 0 THEN $day ELSE 0 END) END
                   AS timetable_description""",
}
VALUES = {"Airflow 3": "repeat('ü', n % 40)", "Airflow 2": "encode(repeat('ü', n % 40))"}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Any, Path]]]:
    """Give for each Airflow a DuckDB with the tables of three exports, and a folder with them as Parquet."""
    with contextlib.ExitStack() as opened:
        made = {each: (opened.enter_context(duckdb.connect()), tmp_path_factory.mktemp("tables")) for each in VALUES}
        for airflow, (connection, folder) in made.items():
            fill(connection, folder, VALUES[airflow])
        yield made


def fill(connection: Any, folder: Path, value: str) -> None:
    """Make the tables of three exports, and Parquet of them that is partitioned by export."""
    connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA versions")
    for table, select in TABLES.items():
        sql = select.replace("{value}", value)
        rows = [sql.replace("$day", str(day)) + f" FROM range({day * 90}, 300 + {day * 90}) t(n)" for day in range(3)]
        days = [f"SELECT *, '{export}' AS export_id FROM ({each})" for export, each in zip(EXPORTS, rows, strict=True)]
        parameters = {"hostile": HOSTILE} if "$hostile" in sql else None
        connection.execute(f"CREATE TABLE versions.{table} AS {' UNION ALL '.join(days)}", parameters)
        options = "(FORMAT parquet, PARTITION_BY (export_id))"
        connection.execute(f"COPY versions.{table} TO '{folder / table}' {options}")


@pytest.fixture(scope="module", params=SPARKS)
def in_athena(
    request: pytest.FixtureRequest, exports: dict[str, tuple[Any, Path]], tmp_path_factory: pytest.TempPathFactory
) -> dict[Any, Any]:
    """Give the answers in Athena's dialect, by Airflow and question: Spark starts once for all."""
    asked = [
        ((airflow, name), "ask", str(folder), question.sql)
        for airflow, (_, folder) in exports.items()
        for name, question in questions(ATHENA).items()
    ]
    return done_in_spark(asked, tmp_path_factory.mktemp("spark"), request.param)


def in_duckdb(connection: Any, question: Question) -> list[tuple[Any, ...]]:
    """Answer as `query` does."""
    exports = EXPORTS[-2:] if question.over == TWO_EXPORTS else EXPORTS
    connection.execute(f"CREATE OR REPLACE VIEW exports AS SELECT unnest({list(exports)}) AS export_id")
    for table in TABLES:
        newest = f"SELECT * FROM versions.{table} WHERE export_id = '{EXPORTS[-1]}'"
        if question.over == HISTORY and table == "dag_run":
            columns = [name for name, *_ in connection.execute(f"DESCRIBE versions.{table}").fetchall()]
            newest = history_select(f"versions.{table}", columns[:-1], ("id",))
        connection.execute(f"CREATE OR REPLACE VIEW {table} AS {newest}")
    return list(connection.execute(question.sql).fetchall())


@pytest.mark.parametrize("airflow", VALUES)
@pytest.mark.parametrize("name", questions(DUCKDB))
def test_a_question_has_the_same_answer_in_both_dialects(
    name: str, airflow: str, exports: dict[str, tuple[Any, Path]], in_athena: dict[Any, Any]
) -> None:
    expected, found = in_duckdb(exports[airflow][0], questions(DUCKDB)[name]), in_athena[airflow, name]
    assert len(expected) > 1
    assert [list(map(plain, row)) for row in found] == [list(map(plain, row)) for row in expected]


def plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@pytest.mark.parametrize("name", questions(ATHENA))
def test_a_question_is_one_statement_of_athenas_grammar(name: str) -> None:
    [statement] = sqlglot.parse(questions(ATHENA)[name].sql, read="athena")
    assert isinstance(statement, sqlglot.exp.Select)


def test_every_question_has_both_dialects_and_the_same_words() -> None:
    both = [
        {name: (each.title, each.over) for name, each in questions(dialect).items()} for dialect in (DUCKDB, ATHENA)
    ]
    assert both[0] == both[1]
    assert len(both[0]) == 8
