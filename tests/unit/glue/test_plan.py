"""What a run exports: the statements of its tables, and what becomes of those that cannot be read."""

import csv
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import psycopg
import pytest
from metadata_export.catalog import Catalog, ForeignKey
from metadata_export.errors import SourceError
from metadata_export.parts import MIB
from metadata_export.plan import Extract, GroupPlan, bundle, csv_header, is_small, make_plan
from metadata_export.source import Connection
from metadata_export.statements import Statement
from psycopg import sql

from tests.unit.glue.conftest import catalog, key, table
from tests.unit.glue.test_selection import UNCATALOGUED, request
from tests.unit.glue.test_window import CUTOFF


@pytest.mark.parametrize(
    "names",
    [["id", "group"], ["a,b", 'quo"te', "new\nline", "cr\r", " space "], ["ünï"], []],
    ids=["plain", "hostile", "unicode", "none"],
)
def test_given_column_names_then_a_csv_reader_reads_them_back(names: list[str]) -> None:
    text = csv_header(names).decode()
    assert text.endswith("\n")
    assert next(csv.reader(io.StringIO(text, newline=""))) == names


def extract(number: int, size: int) -> Extract:
    return Extract(f"t{number}", f"k{number}", "full", (), (Statement("COPY", ""),), size)


def test_given_many_small_tables_then_few_tasks_share_them() -> None:
    extracts = [extract(number, 20_000) for number in range(60)] + [extract(99, 500 * MIB)]
    groups = bundle(extracts, tasks=3)
    assert [len(group) for group in groups] == [20, 20, 20]
    assert sorted(each.table for group in groups for each in group) == sorted(each.table for each in extracts[:-1])


def test_given_small_tables_that_are_much_together_then_there_are_more_tasks() -> None:
    groups = bundle([extract(number, 8 * MIB) for number in range(40)], tasks=3)
    assert max(sum(each.total_bytes for each in group) for group in groups) <= 32 * MIB


def test_given_fewer_tables_than_tasks_then_no_task_is_empty() -> None:
    assert bundle([extract(1, 1)], tasks=3) == [[extract(1, 1)]]
    assert bundle([], tasks=3) == []


@pytest.mark.parametrize(("size", "tasks"), [(4 * 32 * MIB, 4), (4 * 32 * MIB + 32, 5)], ids=["just", "over"])
def test_given_small_tables_then_a_task_gets_a_bundle_s_bytes_and_no_more(size: int, tasks: int) -> None:
    assert len(bundle([extract(number, size // 32) for number in range(32)], tasks=1)) == tasks


def test_given_a_table_of_the_bound_then_it_shares_a_task_and_a_larger_one_does_not() -> None:
    assert is_small(extract(1, 8 * MIB))
    assert not is_small(extract(1, 8 * MIB + 1))


LOOK, COUNT = 'SELECT DISTINCT "e0"', 'SELECT count(*) FROM ONLY "public"."note"'


@dataclass
class Database:
    """A database that answers what a plan asks of it.

    Args:
        bytes_of: table -> its size, where it is not empty.
        touched: ids of dag runs that something happened to, as `xcom` tells.
        orphans: how many rows of a table that is asked for them lack a parent.
        refused: text in a statement -> SQLSTATE of the error that it ends with.
    """

    live: Catalog
    bytes_of: Mapping[str, int] = field(default_factory=dict)
    touched: tuple[str, ...] = ()
    orphans: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def execute(self, query: Any, parameters: Any = None) -> "Database":
        composed = query.as_string(None) if isinstance(query, sql.Composable) else query
        text = composed.decode() if isinstance(composed, bytes) else composed
        self.asked.append(text)
        for part, state in self.refused.items():
            if part in text:
                raise psycopg.errors.lookup(state)("no")
        return self

    def fetchall(self) -> list[tuple[object, ...]]:
        asked = self.asked[-1]
        if "pg_table_size" in asked:
            heaps = [(heap.oid, each.name) for each in self.live.tables.values() for heap in each.heaps]
            return [(oid, self.bytes_of.get(name, 0), 1000) for oid, name in heaps]
        if LOOK in asked:
            return [(each,) for each in self.touched]
        if "SELECT count(*)" in asked:
            return [(self.orphans if COUNT in asked else 0,)]
        return []


XCOM = table("xcom", "dag_id! run_id! value timestamp!@", key("dag_run", "dag_id run_id"))
NOTE = table("note", "id! dag_id run_id", key("dag_run", "dag_id run_id", enforced=False))
DAG_RUN = table("dag_run", "id! dag_id! run_id! state end_date@")
LIVE = catalog(DAG_RUN, XCOM, NOTE, table("job", "id!"), table("pool", 'id! a"b'))


def planned(
    database: Database, *tables: str, cutoff: datetime | None = CUTOFF, masks: str = "[]", **changes: str
) -> GroupPlan:
    """The plan of tables, each `name:window`."""
    asked = request(*tables, MASK_COLUMNS=masks, **changes)
    return make_plan(cast(Connection, database), database.live, asked, cutoff, "day/{}.csv.gz".format)


def test_given_tables_then_the_largest_comes_first_and_each_has_its_key_rule_header_and_statements() -> None:
    database = Database(LIVE, {"xcom": 300 * MIB, "job": 5, "pool": 5})
    plan = planned(database, "pool:full", "job:full", "xcom:follow", "dag_run:run")
    assert [each.table for each in plan.extracts] == ["xcom", "job", "pool", "dag_run"]
    xcom, job, pool, _ = plan.extracts
    assert (xcom.key, xcom.rule, xcom.total_bytes) == ("day/xcom.csv.gz", "follow", 300 * MIB)
    assert len(xcom.statements) == 5
    assert all('EXISTS (SELECT FROM ONLY "public"."dag_run"' in each.copy for each in xcom.statements)
    assert (job.rule, job.total_bytes, len(job.statements)) == ("full", 5, 1)
    assert "EXISTS" not in job.statements[0].copy
    assert pool.header == b'id,"a""b"\n'
    assert (plan.failed, plan.orphans, plan.unread_evidence, plan.catalog) == ({}, {}, (), LIVE)


def test_given_a_column_to_mask_then_no_statement_of_its_table_reads_it() -> None:
    plan = planned(Database(LIVE), "xcom:follow", "job:full", masks='["xcom.value"]')
    masked = {each.table: (each.masked, each.statements[0].copy) for each in plan.extracts}
    assert masked["xcom"][0] == ("value",)
    assert 'NULL AS "value"' in masked["xcom"][1]
    assert (masked["job"][0], "NULL AS" in masked["job"][1]) == ((), False)


def test_given_a_mask_that_fits_no_column_then_its_table_fails_and_the_others_do_not() -> None:
    plan = planned(Database(LIVE), "xcom:follow", "job:full", masks='["xcom.valeu"]')
    assert [each.table for each in plan.extracts] == ["job"]
    assert list(plan.failed) == ["xcom"]
    assert plan.failed["xcom"].startswith("xcom.valeu cannot be masked")


def test_given_runs_that_something_happened_to_then_the_statements_of_what_follows_them_name_them() -> None:
    database = Database(LIVE, touched=("7", "9"))
    plan = planned(database, "xcom:follow", "job:full")
    copies = {each.table: each.statements[0].copy for each in plan.extracts}
    assert """= ANY ('{"7","9"}'::text[])""" in copies["xcom"]
    assert "ANY" not in copies["job"]
    unbounded = Database(LIVE, touched=("7", "9"))
    assert "ANY" not in planned(unbounded, "xcom:follow", cutoff=None).extracts[0].statements[0].copy
    assert not any(LOOK in each for each in unbounded.asked)


def test_given_indexes_that_cannot_be_read_then_only_an_export_by_a_window_needs_them() -> None:
    database = Database(LIVE, refused={"pg_catalog.pg_index": "42501"})
    assert [each.table for each in planned(database, "xcom:follow", cutoff=None).extracts] == ["xcom"]
    with pytest.raises(SourceError, match="read the indexes"):
        planned(database, "xcom:follow", cutoff=CUTOFF)


def test_given_tables_then_the_log_tells_how_those_are_read_that_share_no_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="metadata_export")
    plan = planned(Database(LIVE, {"job": 8 * MIB, "pool": 8 * MIB + 1}), "job:full", "pool:full")
    assert [(each.table, is_small(each)) for each in plan.extracts] == [("pool", False), ("job", True)]
    assert caplog.messages == ["pool: read by pages, statements: 1"]


def test_given_definitions_only_then_nobody_looks_for_runs_that_something_happened_to() -> None:
    database = Database(LIVE)
    planned(database, "job:full", "pool:full")
    assert not any(LOOK in each for each in database.asked)


def test_given_evidence_that_is_damaged_then_the_plan_names_what_could_not_be_read() -> None:
    plan = planned(Database(LIVE, refused={LOOK: "XX001"}), "dag_run:run")
    assert plan.unread_evidence == ("xcom",)
    assert [each.table for each in plan.extracts] == ["dag_run"]


def test_given_dag_runs_that_may_not_be_read_then_what_follows_them_fails_and_the_others_do_not() -> None:
    plan = planned(Database(LIVE, refused={"AS r WHERE": "42501"}), "dag_run:run", "xcom:follow", "job:full")
    assert [each.table for each in plan.extracts] == ["job"]
    assert {name: error.partition(":")[0] for name, error in plan.failed.items()} == dict.fromkeys(
        ("dag_run", "xcom"), "cannot look for the dag runs of the window"
    )
    assert plan.unread_evidence == ("dag_run",)
    with pytest.raises(SourceError, match="look for the dag runs"):
        planned(Database(LIVE, refused={"AS r WHERE": "57014"}), "xcom:follow", "job:full")


def test_given_rows_without_parents_then_they_are_counted_where_nothing_enforces_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = planned(Database(LIVE, orphans=1234), "note:follow", "xcom:follow")
    assert plan.orphans == {"note": 1234}
    assert caplog.messages == ["note: rows that refer to rows which do not exist: 1,234"]
    caplog.clear()
    assert planned(Database(LIVE, orphans=0), "note:follow", "xcom:follow").orphans == {}
    assert caplog.messages == []


def test_given_a_table_that_may_not_be_read_then_it_fails_alone_and_a_lost_connection_ends_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = planned(Database(LIVE, refused={COUNT: "42501"}), "note:follow", "job:full")
    assert [each.table for each in plan.extracts] == ["job"]
    assert list(plan.failed) == ["note"]
    assert caplog.messages == [f"note cannot be exported: {plan.failed['note']}"]
    with pytest.raises(SourceError) as caught:
        planned(Database(LIVE, refused={COUNT: "57P01"}), "note:follow", "job:full")
    assert caught.value.transient


def test_given_what_the_selection_says_of_tables_then_the_plan_says_it_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="metadata_export")
    live = catalog(DAG_RUN, table("mine", "id! dag_id run_id"))
    plan = planned(Database(live), "dag_run:run", "sla_miss:date", CATALOGUED_TABLES='["dag_run", "sla_miss"]')
    assert plan.selection.skipped == {"sla_miss": "not in this Airflow version's schema"}
    assert [each.table for each in plan.extracts] == ["dag_run", "mine"]
    # AND its columns dag_id and run_id mean nothing: it is exported whole
    assert "EXISTS" not in plan.extracts[1].statements[0].copy
    assert caplog.messages == [
        "0 of about 0 dag runs belong to the window; 0 of them are older, but something happened to them",
        "skipped sla_miss: not in this Airflow version's schema",
        "mine is not in the table registry: exported with all rows that refer to no older run",
    ]


def test_given_an_unknown_table_that_refers_to_runs_then_its_columns_of_that_name_lead_to_none() -> None:
    # GIVEN a plugin's table whose run_id is a number of its own, and that has a foreign key to Airflow's runs
    plugin = table("ticket", "id! dag_id run_id owner", ForeignKey("fk", "dag_run", ("owner",), ("id",)))
    changes = UNCATALOGUED | {"WINDOWS": '{"dag_run": "run"}'}
    (ticket,) = planned(Database(catalog(DAG_RUN, plugin)), **changes).extracts
    assert ticket.table == "ticket"
    assert ticket.rule == "follow"
    assert '"t1"."id" = "t0"."owner"' in ticket.statements[0].copy
    assert '"run_id"' not in ticket.statements[0].copy.partition("WHERE")[2]
