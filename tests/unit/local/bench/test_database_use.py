"""What PostgreSQL did, read from its log."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.bench import database_use
from local.bench.database_use import kind_of, statements, watch

BLOCK = """\
2026-12-11 14:30:22.101 UTC [42] LOG:  {title} STATISTICS
2026-12-11 14:30:22.101 UTC [42] DETAIL:  ! system usage stats:
\t!\t{user} s user, {system} s system, 9.500000 s elapsed
\t!\t[99.000000 s user, 99.000000 s system total]
\t!\t14564 kB max resident size
\t!\t0/0 [0/8] filesystem blocks in/out
2026-12-11 14:30:22.101 UTC [42] STATEMENT:  {statement}
"""


def block(statement: str, user: str = "1.250000", system: str = "0.250000", title: str = "QUERY") -> str:
    return BLOCK.format(statement=statement, user=user, system=system, title=title)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("COPY (SELECT * FROM ONLY public.task_instance AS t0) TO STDOUT", "rows"),
        ("\n  copy dag TO STDOUT", "rows"),
        ('COPY (SELECT "r"."id", false FROM ONLY "public"."dag_run" AS r WHERE true) TO STDOUT', "look"),
        ('SELECT DISTINCT r.id FROM ONLY "public"."xcom" AS e0 JOIN x', "look"),
        ("CREATE TEMP TABLE selected AS\n\tSELECT id FROM\n\tdag_run", "look"),
        ("SELECT relname FROM pg_catalog.pg_class WHERE relname = 'dag_run'", "catalog"),
        ("SELECT count(*) FROM dag_run_note", "catalog"),
        ("BEGIN", "catalog"),
    ],
    ids=[
        "copy",
        "small letters",
        "numbers of runs",
        "quoted",
        "lines",
        "a name in a literal",
        "a longer name",
        "no table",
    ],
)
def test_given_statement_when_told_apart_then_by_what_it_is_for(statement: str, kind: str) -> None:
    assert kind_of(statement) == kind


def test_given_log_with_other_lines_when_read_then_each_statement_has_its_own_seconds() -> None:
    log = (
        "2026-12-11 14:30:22.000 UTC [42] LOG:  checkpoint starting: time\n"
        + block("COPY (SELECT 1\n\tFROM dag_run) TO STDOUT")
        + block("SELECT 1 FROM dag_run", "0.5", "0.0", title="EXECUTE MESSAGE")
        + "2026-12-11 14:30:23.000 UTC [42] ERROR:  s user, s system\n"
        + block("BEGIN", "0.125", "0.0")
    )

    assert list(statements(log)) == [("rows", 1.5), ("look", 0.5), ("catalog", 0.125)]


def test_given_what_was_done_before_when_watched_then_only_what_came_after_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = iter([1000, 1234])
    monkeypatch.setattr(database_use, "_pages", lambda *_: next(pages))
    server: Any = SimpleNamespace(data_dir=tmp_path)
    log = tmp_path / "server.log"
    log.write_text(block("COPY a TO STDOUT"))

    watched = watch(server, "airflow")
    with log.open("a") as more:
        more.write(block("COPY b TO STDOUT", "2.0", "1.0"))

    assert watched.read() == database_use.DatabaseUse(234, {"rows": 3.0, "look": 0.0, "catalog": 0.0})
