import dataclasses
import json

import pytest
from metadata_export.arguments import parse_arguments
from metadata_export.catalog import Catalog, Table
from metadata_export.errors import SourceError
from metadata_export.request import TableRequest
from metadata_export.selection import NAMED_ELSEWHERE, select_tables, window_rules

from tests.unit.glue.conftest import catalog, key, table
from tests.unit.glue.test_arguments import argv

ABSENT = "not in this Airflow version's schema"


def request(*tables: str, **changes: str) -> TableRequest:
    """A request for tables, each `name:window`, with `*` before the name when any schema will do."""
    entries = [
        {"table": name.strip("*"), "window": window} | ({"any_schema": True} if "*" in name else {})
        for name, window in (each.split(":") for each in tables)
    ]
    return parse_arguments(argv(EXPORT_TABLES=json.dumps(entries), **changes)).table_request


def elsewhere(schema: str, name: str) -> Table:
    return dataclasses.replace(table(f"{schema}.{name}", "id", heaps=(f"{schema}.{name}",)), schema=schema)


def airflow(*tables: Table, **more: object) -> Catalog:
    """A catalog with dag_run and these tables; `more` is what else is in the database."""
    return dataclasses.replace(catalog(table("dag_run", "id"), *tables), **more)  # type: ignore[arg-type]


def test_given_the_live_catalog_then_it_alone_decides_what_is_skipped_and_unknown() -> None:
    live = airflow(table("celery_x", "id"), table("session", "id"), table("mine", "id"))
    known = '["dag_run", "session", "sla_miss"]'
    asked = request("dag_run:run", "sla_miss:date", CATALOGUED_TABLES=known, EXCLUDE_TABLES='["mine"]')
    selection = select_tables(asked, live)
    assert selection.rules == {"dag_run": "run", "celery_x": "full"}
    assert selection.skipped == {"sla_miss": ABSENT}
    assert selection.uncatalogued == ("celery_x",)

    # AND without the registry's names nothing is unknown
    assert select_tables(request("dag_run:run"), live).uncatalogued == ()


@pytest.mark.parametrize(
    ("live", "skipped"),
    [(["dag_run"], ["job", "sla_miss"]), (["job"], ["sla_miss"])],
    ids=["Airflow without the group's tables", "one of the group's tables"],
)
def test_given_a_sign_of_airflow_then_absent_tables_are_skipped(live: list[str], skipped: list[str]) -> None:
    selection = select_tables(request("job:date", "sla_miss:date"), catalog(*(table(name, "id") for name in live)))
    assert sorted(selection.skipped) == skipped


@pytest.mark.parametrize("live", [[], ["orders"]], ids=["empty", "of something else"])
@pytest.mark.parametrize("tables", [["job:date"], []], ids=["tables", "unknown ones only"])
def test_given_a_database_without_airflow_then_nothing_passes_for_an_export(live: list[str], tables: list[str]) -> None:
    asked = request(*tables, CATALOGUED_TABLES='["job"]')
    with pytest.raises(SourceError, match=r"'AirflowMetadata' has neither dag_run nor any table of the group runs"):
        select_tables(asked, catalog(*(table(name, "id") for name in live)))


def test_given_a_table_in_another_schema_then_it_is_exported_where_the_registry_allows_it() -> None:
    live = airflow(elsewhere("celery", "celery_taskmeta"), elsewhere("old", "celery_taskmeta"))
    selection = select_tables(request("*celery_taskmeta:date", EXCLUDE_TABLES='["old.celery_taskmeta"]'), live)
    assert selection.rules == {"celery.celery_taskmeta": "date"}
    assert selection.skipped == {}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, ABSENT),
        ({"elsewhere": (("hr", "team"), ("hr", "x"))},
         "not in the schema public; a table of that name in the schema hr is not exported"),
        ({"part_of": {"team": "teams"}}, "its rows are in the file of teams, which it is a part of"),
    ],
    ids=["nowhere", "in another schema", "a partition"],
)  # fmt: skip
def test_given_an_absent_table_then_the_reason_is_true(more: dict[str, object], reason: str) -> None:
    assert select_tables(request("team:full"), airflow(**more)).skipped == {"team": reason}


def test_given_a_view_by_a_table_s_name_then_it_has_failed_and_is_not_skipped() -> None:
    selection = select_tables(request("log:date"), airflow(not_tables={"log": "a view"}))
    assert selection.skipped == {}
    assert selection.failed["log"].startswith("log is a view, not a table")


def test_given_tables_of_other_schemas_then_one_group_names_them_within_bounds() -> None:
    names = (("celery", "celery_taskmeta"), *(("plugin", f"t{number:03}") for number in range(NAMED_ELSEWHERE)))
    live = airflow(elsewhere=names)
    asked = {"CATALOGUED_TABLES": '["dag_run"]', "EXCLUDE_TABLES": '["celery_taskmeta", "plugin.t000"]'}
    skipped = select_tables(request(**asked), live).skipped
    assert skipped["celery.celery_taskmeta"] == skipped["plugin.t000"] == "excluded: exclude_tables names it"
    assert skipped["plugin.t001"] == "in the schema plugin: only tables of the schema public are exported"
    assert [name for name in skipped if "more" in name] == ["1 more tables"]
    assert select_tables(request("dag_run:run"), live).skipped == {}


TICKET = table("run_ticket", "id run_id", key("dag_run", "run_id", "id"))
NOTE = table("ticket_note", "id ticket_id", key("run_ticket", "ticket_id", "id"))
HEARTBEAT = table("heartbeat", "id job_id", key("job", "job_id", "id"))
LOOKALIKE = table("lookalike", "id dag_id run_id")
JOB = table("job", "id")
UNCATALOGUED = {
    "EXPORT_GROUP": "uncatalogued",
    "EXPORT_GROUPS": '["uncatalogued"]',
    "CATALOGUED_TABLES": '["job", "dag_run"]',
}


@pytest.mark.parametrize("changes", [{"WINDOWS": '{"dag_run": "run", "job": "date"}'}, {}], ids=["told", "not told"])
def test_given_unknown_tables_then_they_follow_what_they_refer_to_by_foreign_key(changes: dict[str, str]) -> None:
    live = airflow(JOB, TICKET, NOTE, HEARTBEAT, LOOKALIKE)
    asked = request(**UNCATALOGUED, **changes)
    rules = window_rules(asked, live, select_tables(asked, live))
    assert rules["run_ticket"] == rules["ticket_note"] == "follow"
    assert rules["lookalike"] == "full"
    assert rules["heartbeat"] == ("follow" if changes else "full")


def test_given_a_group_of_registered_tables_that_looks_for_unknown_ones_too_then_they_follow_as_well() -> None:
    live = airflow(JOB, TICKET, LOOKALIKE)
    changes = {"CATALOGUED_TABLES": '["job", "dag_run"]', "WINDOWS": '{"dag_run": "run", "job": "date"}'}
    asked = request("job:date", **changes)
    chosen = select_tables(asked, live)
    rules = window_rules(asked, live, chosen)
    assert chosen.uncatalogued == ("lookalike", "run_ticket")
    assert (rules["job"], rules["run_ticket"], rules["lookalike"]) == ("date", "follow", "full")


def test_given_an_unknown_table_that_somebody_asked_for_then_it_follows_too() -> None:
    asked = request("run_ticket:full", EXPORT_GROUP="uncatalogued", EXPORT_GROUPS='["uncatalogued"]')
    live = airflow(TICKET)
    assert window_rules(asked, live, select_tables(asked, live))["run_ticket"] == "follow"


def test_given_the_registry_s_rule_then_it_holds_whatever_the_foreign_keys_say() -> None:
    asked = request("run_ticket:full", WINDOWS='{"dag_run": "run"}')
    live = airflow(TICKET)
    assert window_rules(asked, live, select_tables(asked, live))["run_ticket"] == "full"
