"""Did a group deliver what was planned?"""

import dataclasses
import json

import pytest
from aggregate_results.verification import object_problems, verify_groups
from botocore.stub import Stubber
from export_contracts.layout import schema_key, table_key
from export_contracts.plan import PlannedTable
from export_runtime import clients
from export_runtime.errors import AwsCallError
from export_runtime.store import ObjectFacts, ObjectStore

from tests.unit.lambdas.aggregate_results.exports import (
    EXPORT,
    GROUPS,
    PART_MINIMUM,
    RUN_ID,
    deliver,
    deliver_all,
    entry,
    event,
    failed,
    group_of,
    put_in_parts,
    put_schema,
    put_table,
    rewrite,
    succeeded,
)

RUNS = group_of("runs")
UNCATALOGUED = group_of("uncatalogued")
KEY = table_key(EXPORT.day_prefix, EXPORT.export_id, "dag_run")


def outcome_of(store, name: str, results=None, attempt: str = "first"):
    """Return the outcome of a group."""
    return next(found for found in verify_groups(event(results, attempt), store) if found.group.group == name)


def test_given_everything_was_delivered_then_every_group_is_verified(store):
    deliver_all(store)
    outcomes = verify_groups(event(), store)
    assert [outcome.cause for outcome in outcomes] == [None] * len(GROUPS)
    assert all(outcome.manifest for outcome in outcomes)


SCHEMA_KEY = schema_key(EXPORT.day_prefix, EXPORT.export_id)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "another"}, f"the schema has key 'another', expected was {SCHEMA_KEY}"),
        ({"object_bytes": 17}, f"object {SCHEMA_KEY} has {{size}} bytes and SHA-256 "),
        ({"checksum_sha256": "abc="}, "the manifest says {size} and 'abc='"),
        (None, f"the schema {SCHEMA_KEY} is not in its manifest"),
        ({}, f"object {SCHEMA_KEY} does not exist"),
    ],
    ids=["another key", "another size", "another content", "not exported", "deleted"],
)
def test_given_no_sound_schema_then_the_first_group_fails_and_keeps_its_tables(store, s3, changes, said):
    deliver_all(store, without=GROUPS[0].group)
    whole = deliver(store, GROUPS[0])
    schema = None if changes is None else dataclasses.replace(whole.schema, **changes)
    rewrite(store, GROUPS[0], dataclasses.replace(whole, schema=schema))
    if not changes and changes is not None:
        s3.delete_object(Bucket="exports-bucket", Key=SCHEMA_KEY)
    first, *others = verify_groups(event(), store)
    assert said.format(size=whole.schema.object_bytes) in first.cause.text
    assert (first.manifest.schema, first.missing) == (None, ())
    assert len(first.manifest.tables) == len(GROUPS[0].tables)
    assert [other.cause for other in others] == [None] * len(others)


def with_schema(store, **changes):
    """Deliver everything, but with this object of the schema."""
    deliver_all(store)
    whole = deliver(store, GROUPS[0])
    rewrite(store, GROUPS[0], dataclasses.replace(whole, schema=put_schema(store, **changes)))


@pytest.mark.parametrize(("results", "attempt"), [(None, "first"), ([], "retry")], ids=["first", "retry"])
def test_given_a_table_that_the_schema_does_not_make_then_the_group_that_exported_it_lacks_it(store, results, attempt):
    with_schema(store, without="xcom")
    [found] = [outcome for outcome in verify_groups(event(results, attempt), store) if outcome.cause]
    assert "table 'xcom' was exported, but the schema does not make it: dropped meanwhile" in found.cause.text
    assert (found.missing, "xcom" in found.manifest.tables, found.group == GROUPS[0]) == (("xcom",), False, False)


def test_given_an_unknown_table_that_the_schema_does_not_make_then_nothing_is_wrong(store):
    deliver_all(store, without="uncatalogued")
    leftover = {"_airflow_deleted__log": put_table(store, "_airflow_deleted__log")}
    deliver(store, UNCATALOGUED, tables=leftover, uncatalogued_tables=tuple(leftover))
    assert [outcome.cause for outcome in verify_groups(event(), store)] == [None] * len(GROUPS)


def test_given_a_schema_that_is_no_such_file_then_no_table_counts(store):
    with_schema(store, body=b"gzip of statements")
    missing = [sorted(outcome.missing) for outcome in verify_groups(event(), store)]
    assert missing == [sorted(table.table for table in group.tables) for group in GROUPS]


def test_given_a_failed_run_then_its_group_fails_and_its_siblings_do_not(store):
    deliver_all(store)
    results = [*succeeded(GROUPS[1:]), failed(GROUPS[0].group, "disk full")]
    outcomes = verify_groups(event(results), store)
    assert [outcome.cause.text for outcome in outcomes if outcome.cause] == ["disk full"]


DEFINITIONS = group_of("definitions")
FAILED_DEFINITIONS = [failed("definitions", "no variable"), *succeeded(GROUPS[1:])]


def definitions_of(store):
    """Return the outcome of the group definitions, whose run has failed."""
    found = outcome_of(store, "definitions", FAILED_DEFINITIONS)
    assert found.cause.text == "no variable"
    return found


def test_given_a_failed_run_with_a_manifest_then_its_whole_tables_count_and_only_the_rest_is_missing(store):
    failures = {"variable": "cannot export the table variable"}
    deliver(store, DEFINITIONS, tables={"dag": put_table(store, "dag")}, failed_tables=failures)
    found = definitions_of(store)
    assert (list(found.manifest.tables), found.missing, found.failed_tables) == (["dag"], ("variable",), failures)
    assert found.problems == ()


def test_given_a_run_that_ended_early_then_what_it_did_not_come_to_is_missing(store):
    deliver(store, DEFINITIONS, tables={"dag": put_table(store, "dag")})
    found = definitions_of(store)
    assert (list(found.manifest.tables), found.missing, found.failed_tables) == (["dag"], ("variable",), {})
    assert found.problems == ()


def test_given_a_failed_run_then_also_what_it_lists_is_verified(store, s3):
    deliver(store, DEFINITIONS, tables={name: put_table(store, name) for name in ("dag", "variable")})
    s3.delete_object(Bucket="exports-bucket", Key=table_key(EXPORT.day_prefix, EXPORT.export_id, "dag"))
    found = definitions_of(store)
    assert (list(found.manifest.tables), found.missing) == (["variable"], ("dag",))
    assert "does not exist" in found.problems[0]


def test_given_the_manifest_of_an_earlier_attempt_then_it_counts_though_the_newest_run_was_killed(store):
    tables = {"dag": put_table(store, "dag")}
    deliver(store, DEFINITIONS, job_run_id="jr_first000", tables=tables, failed_tables={"variable": "damaged"})
    found = definitions_of(store)
    assert (list(found.manifest.tables), found.missing) == (["dag"], ("variable",))
    assert found.failed_tables == {"variable": "damaged"}


def test_given_a_failed_run_then_its_group_has_failed_also_when_everything_is_there(store):
    deliver(store, DEFINITIONS)
    found = definitions_of(store)
    assert (sorted(found.manifest.tables), found.missing) == (["dag", "variable"], ())


@pytest.mark.parametrize("changes", [{"export_id": "20261210T143022Z"}, {"group": "tasks"}, {"cutoff": None}], ids=str)
def test_given_a_failed_run_and_the_manifest_of_something_else_then_nothing_counts(store, changes):
    deliver(store, DEFINITIONS, **changes)
    found = definitions_of(store)
    assert (found.manifest, found.missing) == (None, ("dag", "variable"))


def test_given_a_failed_run_and_a_manifest_of_a_format_to_come_then_nothing_counts(store):
    content = deliver(store, DEFINITIONS).to_json() | {"format_version": 3}
    store.write(DEFINITIONS.manifest_key, json.dumps(content).encode(), "application/json")
    assert definitions_of(store).manifest is None


def test_given_a_manifest_that_cannot_be_read_then_the_group_fails_and_the_cause_says_why(store):
    content = deliver(store, RUNS).to_json()
    content["tables"]["dag_run"]["part_sizes"] = ["17"]
    store.write(RUNS.manifest_key, json.dumps(content).encode(), "application/json")
    found = outcome_of(store, "runs")
    said = "runs.json cannot be read: tables.dag_run.part_sizes[0] is '17'; allowed is a whole number of 0 or more"
    assert said in found.cause.text
    assert found.missing == ("dag_run",)


def test_given_an_unknown_table_that_failed_then_it_is_missing_too(store):
    mine = {"mine": put_table(store, "mine")}
    failures = {"yours": "permission denied"}
    deliver(store, UNCATALOGUED, tables=mine, failed_tables=failures, uncatalogued_tables=("mine", "yours"))
    found = outcome_of(store, "uncatalogued", [*succeeded(GROUPS[:-1]), failed("uncatalogued")])
    assert (found.missing, found.failed_tables) == (("yours",), failures)
    assert found.manifest.uncatalogued_tables == ("mine",)


def test_given_an_unknown_table_that_an_early_end_left_out_then_it_is_missing(store):
    deliver(store, UNCATALOGUED, tables={}, uncatalogued_tables=("yours",))
    found = outcome_of(store, "uncatalogued", [*succeeded(GROUPS[:-1]), failed("uncatalogued")])
    assert found.missing == ("yours",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"uncatalogued_tables": ("yours",)}, "unknown table 'yours' is neither exported nor skipped"),
        ({"failed_tables": {"yours": "damaged"}}, "table 'yours' has failed"),
    ],
    ids=["unknown", "failed"],
)
def test_given_a_run_says_success_but_lacks_a_table_then_it_is_not_believed(store, changes, said):
    deliver(store, UNCATALOGUED, tables={}, **changes)
    found = outcome_of(store, "uncatalogued")
    assert (found.missing, said in found.cause.text) == (("yours",), True)


def test_given_one_damaged_object_then_the_others_of_the_group_count(store, s3):
    deliver(store, DEFINITIONS)
    s3.delete_object(Bucket="exports-bucket", Key=table_key(EXPORT.day_prefix, EXPORT.export_id, "dag"))
    found = outcome_of(store, "definitions")
    assert (list(found.manifest.tables), found.missing) == (["variable"], ("dag",))
    assert "reported success, but object" in found.cause.text


def test_given_a_table_of_another_schema_then_it_is_the_planned_one_whether_it_is_whole_or_not(store, s3):
    planned = dataclasses.replace(DEFINITIONS, tables=(PlannedTable("celery_taskmeta", "full", any_schema=True),))
    asked = dataclasses.replace(event(FAILED_DEFINITIONS), groups=(planned,))
    name = "celery.celery_taskmeta"
    deliver(store, planned, tables={name: put_table(store, name)})
    assert verify_groups(asked, store)[0].missing == ()
    deliver(store, planned, tables={}, failed_tables={name: "damaged"})
    assert verify_groups(asked, store)[0].missing == (name,)
    deliver(store, planned, tables={name: put_table(store, name)})
    s3.delete_object(Bucket="exports-bucket", Key=table_key(EXPORT.day_prefix, EXPORT.export_id, name))
    assert verify_groups(asked, store)[0].missing == (name,)
    deliver(store, planned, tables={})
    assert verify_groups(asked, store)[0].missing == ("celery_taskmeta",)


def test_given_a_run_succeeded_without_a_manifest_then_its_group_fails(store):
    deliver_all(store)
    store.write(RUNS.manifest_key, b"{}", "application/json")
    assert "format_version" in outcome_of(store, "runs").cause.text


def test_given_no_manifest_at_all_then_the_message_names_where_it_should_be(store):
    found = outcome_of(store, "runs")
    assert f"s3://exports-bucket/{RUNS.manifest_key} does not exist" in found.cause.text
    assert found.problems


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"export_id": "20261210T143022Z"}, "export_id '20261210T143022Z'", id="another export"),
        pytest.param({"group": "tasks"}, "group 'tasks'", id="another group"),
        pytest.param({"job_run_id": "jr_zombie"}, "job_run_id 'jr_zombie'", id="another run"),
        pytest.param({"cutoff": None}, "cutoff 'null'", id="another window"),
        pytest.param({"tables": {}}, "dag_run is neither exported nor skipped", id="a planned table is missing"),
        pytest.param({"skipped_tables": {"dag_run": "x"}}, "both exported and skipped", id="exported and skipped"),
    ],
)
def test_given_a_manifest_that_is_not_this_groups_then_the_group_fails(store, changes, said):
    deliver(store, RUNS, **changes)
    found = outcome_of(store, "runs")
    assert said in found.cause.text
    assert all(problem.startswith("group runs: ") for problem in found.problems)


def test_given_a_planned_table_is_absent_in_this_version_then_skipping_it_is_fine(store):
    deliver(store, RUNS, tables={}, skipped_tables={"dag_run": "no such table"})
    assert outcome_of(store, "runs").cause is None


def test_given_a_table_that_was_asked_for_by_name_is_absent_then_the_group_fails(store):
    deliver(store, RUNS, tables={}, skipped_tables={"dag_run": "no such table"})
    asked = dataclasses.replace(event(), export=dataclasses.replace(EXPORT, include_tables=("dag_run",)))
    found = next(each for each in verify_groups(asked, store) if each.group == RUNS)
    assert "table dag_run, which include_tables asks for, is not in this database" in found.cause.text


ABSENT = {"skipped_tables": {"dag_run": "no such table"}}
DAMAGED = {"uncatalogued_tables": ("yours",), "failed_tables": {"yours": "damaged"}}


@pytest.mark.parametrize(
    ("delivered", "results", "mistaken"),
    [
        (ABSENT, None, ("dag_run",)),
        (ABSENT | DAMAGED, None, ()),
        (ABSENT, [failed("runs"), *succeeded(each for each in GROUPS if each != RUNS)], ()),
        (DAMAGED, None, ()),
    ],
    ids=["absent", "and another table is damaged", "and the run has failed", "only damaged"],
)
def test_given_a_table_that_was_asked_for_and_is_absent_then_only_where_nothing_else_is_wrong_no_retry_helps(
    store, delivered, results, mistaken
):
    tables = {} if "skipped_tables" in delivered else {"dag_run": put_table(store, "dag_run", "run")}
    deliver(store, RUNS, tables=tables, **delivered)
    asked = event(results, export=dataclasses.replace(EXPORT, include_tables=("dag_run",)))
    [found] = [each for each in verify_groups(asked, store) if each.group == RUNS]
    assert found.cause is not None
    assert found.mistaken == mistaken


def test_given_another_window_than_planned_then_only_the_whole_table_is_accepted(store):
    for window, accepted in (("full", True), ("date", False)):
        deliver(store, RUNS, tables={"dag_run": put_table(store, "dag_run", window)})
        assert (outcome_of(store, "runs").cause is None) is accepted


def test_given_a_table_that_was_not_planned_then_the_group_fails(store):
    tables = {"dag_run": put_table(store, "dag_run", "run"), "xcom": put_table(store, "xcom")}
    deliver(store, RUNS, tables=tables)
    assert "'xcom' was exported, but not planned" in outcome_of(store, "runs").cause.text


def test_given_a_table_that_nobody_knows_then_the_uncatalogued_group_may_bring_it(store):
    deliver(store, UNCATALOGUED, tables={"my table": put_table(store, "my table")}, uncatalogued_tables=("my table",))
    assert outcome_of(store, "uncatalogued").manifest.uncatalogued_tables == ("my table",)


def test_given_a_known_table_in_the_uncatalogued_group_then_the_group_fails(store):
    deliver(store, UNCATALOGUED, tables={"xcom": put_table(store, "xcom")})
    assert "not planned" in outcome_of(store, "uncatalogued").cause.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"object_bytes": 16, "part_sizes": (16,)}, "has 17 bytes, the manifest says 16", id="size"),
        pytest.param({"checksum_sha256": "AAAA"}, "has SHA-256", id="checksum"),
        pytest.param({"part_sizes": (16,)}, "its parts have 16", id="part sizes"),
        pytest.param({"part_sizes": (8, 9)}, "has 2 parts", id="parts of a single put"),
        pytest.param({"key": "exports/prod-backups/2026/12/10/dag_run_143022.csv.gz"}, "expected was", id="key"),
    ],
)
def test_given_an_object_that_contradicts_the_manifest_then_the_group_fails(store, changes, said):
    deliver(store, RUNS, tables={"dag_run": dataclasses.replace(put_table(store, "dag_run", "run"), **changes)})
    assert said in outcome_of(store, "runs").cause.text


def test_given_an_object_is_missing_then_the_group_fails_and_names_it(store, s3):
    deliver(store, RUNS)
    s3.delete_object(Bucket="exports-bucket", Key=KEY)
    assert f"object {KEY} does not exist" in outcome_of(store, "runs").cause.text


def test_given_an_object_without_checksum_then_the_group_fails(store, s3):
    content = deliver(store, RUNS)
    s3.put_object(Bucket="exports-bucket", Key=KEY, Body=b"gzip of a header\n", ChecksumAlgorithm="CRC32")
    assert content.tables["dag_run"].checksum_sha256 in outcome_of(store, "runs").cause.text


@pytest.mark.parametrize("parts", [[b"only"], [b"a" * PART_MINIMUM, b"rest"]], ids=["one part", "two parts"])
def test_given_a_multipart_object_then_its_composite_checksum_is_verified(store, s3, parts):
    deliver(store, RUNS, tables={"dag_run": put_in_parts(s3, "dag_run", parts)})
    assert outcome_of(store, "runs").cause is None


@pytest.mark.parametrize(
    ("stored", "same"),
    [("abc=-2", True), ("abc=", True), ("abc=-3", False), ("xyz=-2", False), ("", False), (None, False)],
)
def test_given_a_composite_checksum_then_s3_may_leave_out_the_parts_but_not_contradict(stored, same):
    table = entry("key", 2, "abc=-2", (1, 1))
    assert (object_problems("x", table, ObjectFacts(2, stored), "key") == []) is same


def test_given_many_problems_then_the_cause_is_short_and_the_list_is_whole(store):
    deliver(store, RUNS, tables={f"t{number}": put_table(store, f"t{number}") for number in range(9)})
    found = outcome_of(store, "runs")
    assert len(found.problems) == 10
    assert "and 5 more" in found.cause.text


@pytest.mark.parametrize(("tables", "rest"), [(4, []), (5, ["and 1 more"])], ids=["five", "six"])
def test_given_problems_then_the_cause_names_five_of_them_and_the_run(store, tables, rest):
    # GIVEN a run that lacks dag_run and brought so many tables that nobody planned
    deliver(store, RUNS, tables={f"t{number}": put_table(store, f"t{number}") for number in range(tables)})
    cause = outcome_of(store, "runs").cause
    said = cause.text.partition(", but ")[2].split("; ")
    assert said[5:] == rest
    assert all("table" in each for each in said[:5])
    assert cause.job_run_id == RUN_ID


def test_given_a_result_is_missing_at_first_then_its_group_fails(store):
    deliver_all(store)
    assert "no result" in outcome_of(store, "runs", succeeded(GROUPS[:1])).cause.text


def test_given_a_retry_then_groups_without_result_are_read_from_their_manifests(store):
    deliver_all(store)
    retried = [{"group": "runs", "status": "SUCCEEDED", "job_run_id": "jr_second00"}]
    deliver(store, RUNS, job_run_id="jr_second00")
    outcomes = verify_groups(event(retried, "retry"), store)
    assert [outcome.cause for outcome in outcomes] == [None] * len(GROUPS)


def test_given_s3_denies_access_then_that_is_an_error_and_no_verdict_on_the_export():
    client = clients.s3()
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(AwsCallError):
            verify_groups(event(), ObjectStore(client, "exports-bucket"))
