import json
from datetime import UTC, datetime
from typing import Any

import pytest
from metadata_export.arguments import ADDED_BY_GLUE, REQUIRED, Arguments, parse_arguments
from metadata_export.errors import ArgumentError

from tests.contract_examples import Example, base, examples, layouts

OWN = {"JOB_NAME": "", "JOB_RUN_ID": "jr_1"}


def argv(**changes: str) -> list[str]:
    """Arguments as the contract's plainest example has them, with changes; the manifest's key follows the group's."""
    plain = {name.removeprefix("--"): value for name, value in base("job_arguments").items()} | {"WINDOWS": "{}"}
    values = plain | {"EXECUTION_ARN": "", "MAX_AGE_IN_DAYS": "30"} | OWN | changes
    manifest = f"exports/env-backups/_runs/{values['EXPORT_ID']}/{values['EXPORT_GROUP']}.json"
    return words({"MANIFEST_KEY": manifest} | {k: v for k, v in values.items() if k != "MANIFEST_KEY"} | changes)


def words(values: dict[str, str]) -> list[str]:
    """Arguments as a command line has them."""
    return [word for name, value in values.items() for word in (f"--{name.removeprefix('--')}", value)]


def reading(arguments: Arguments) -> dict[str, Any]:
    """Arguments as the examples write them."""
    return {
        "region": arguments.region,
        "bucket": arguments.bucket,
        "prefix": arguments.prefix,
        "database_name": arguments.database_name,
        "tables": arguments.tables,
        "any_schema": sorted(arguments.any_schema),
        "connection_name": arguments.connection_name,
        "max_age_in_days": arguments.max_age_in_days,
        "cutoff": arguments.cutoff and f"{arguments.cutoff.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "export_id": arguments.export_id,
        "execution_arn": arguments.execution_arn,
        "group": arguments.group,
        "groups": list(arguments.groups),
        "root": arguments.root,
        "manifest_key": arguments.manifest_key,
        "catalogued_tables": sorted(arguments.catalogued_tables),
        "include_tables": sorted(arguments.include_tables),
        "exclude_tables": sorted(arguments.exclude_tables),
        "windows": arguments.windows,
        "mask_columns": {table: list(columns) for table, columns in arguments.mask_columns.items()},
        "formats": list(arguments.formats),
        "snapshot_hold_seconds": arguments.snapshot_hold_seconds,
        "max_connections": arguments.max_connections,
        "statement_timeout_seconds": arguments.statement_timeout_seconds,
    }


@pytest.mark.parametrize("example", examples("job_arguments", "valid"), ids=str)
def test_given_arguments_of_the_contract_then_they_read_as_it_says(example: Example) -> None:
    assert reading(parse_arguments(words(example.document))) == example.reading


@pytest.mark.parametrize("example", examples("job_arguments", "invalid"), ids=str)
def test_given_arguments_against_the_contract_then_the_error_names_what_is_wrong(example: Example) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_arguments(words(example.document))
    assert [name for name in example.names if name not in str(caught.value)] == []


def test_given_the_contract_then_its_arguments_are_those_that_the_job_requires() -> None:
    assert {f"--{name}" for name in REQUIRED} == set(base("job_arguments"))


def test_given_what_glue_adds_then_it_is_known_and_outside_glue_a_run_has_a_name_all_the_same() -> None:
    assert set(OWN) == set(ADDED_BY_GLUE)
    assert parse_arguments(argv()).job_run_id == "jr_1"
    outside = parse_arguments(words(base("job_arguments")))
    assert (outside.job_name, outside.job_run_id[:6]) == ("", "local_")


def test_given_a_selection_then_it_says_which_children_have_a_file_of_their_own() -> None:
    request = parse_arguments(argv(INCLUDE_TABLES='["mine"]', EXCLUDE_TABLES='["not_mine"]')).table_request
    assert [request.stands_alone(name) for name in ("mine", "not_mine", "another")] == [True, True, False]
    assert parse_arguments(argv()).table_request.stands_alone("another")


def test_given_a_cutoff_of_another_zone_then_it_is_the_same_moment() -> None:
    cutoff = parse_arguments(argv(CUTOFF="2026-11-11T15:30:22+01:00")).cutoff
    assert cutoff == datetime(2026, 11, 11, 14, 30, 22, tzinfo=UTC)


def test_given_several_groups_then_the_first_of_the_plan_exports_the_schema() -> None:
    keys = [
        parse_arguments(argv(EXPORT_GROUP=group, EXPORT_GROUPS='["tasks", "runs"]')).schema_key
        for group in ("runs", "tasks")
    ]
    assert keys[0] is None
    assert keys[1]


@pytest.mark.parametrize("layout", layouts(), ids=json.dumps)
def test_given_the_layout_then_the_keys_of_a_run_are_in_it(layout: dict[str, Any]) -> None:
    keys = layout["keys"]
    folder = keys["summary"].rpartition("/")[0]
    changes = {"EXPORT_ID": layout["export_id"], "EXPORT_GROUP": layout["group"]}
    changes |= {"EXPORT_GROUPS": json.dumps([layout["group"]]), "MANIFEST_KEY": keys["manifest"]}
    arguments = parse_arguments(argv(S3_OUTPUT_PATH=f"s3://bucket/{folder}/", **changes))
    assert arguments.table_key(layout["table"]) == keys["table"]
    assert arguments.parquet_folder(layout["table"]) == keys["parquet"]
    assert arguments.parquet_columns_key == keys["parquet_columns"]
    assert arguments.schema_key == keys["schema"]
    assert (arguments.runs_prefix, arguments.lock_key) == (keys["runs"], keys["lock"])
