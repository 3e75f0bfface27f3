import json
from datetime import UTC, datetime

import pytest
from metadata_export.arguments import parse_arguments
from metadata_export.errors import ArgumentError

VALUES = {
    "AWS_REGION": "eu-central-1",
    "S3_OUTPUT_PATH": "s3://bucket/exports/env-backups/2026/12/11/",
    "DATABASE_NAME": "AirflowMetadata",
    "EXPORT_TABLES": '[{"table": "dag_run", "window": "run"}]',
    "GLUE_CONNECTION_NAME": "env-metadata-export",
    "MAX_AGE_IN_DAYS": "30",
    "CUTOFF": "2026-11-11T14:30:22Z",
    "EXPORT_ID": "20261211T143022Z",
    "EXPORT_GROUP": "runs",
    "EXPORT_GROUPS": '["definitions", "runs"]',
    "MANIFEST_KEY": "exports/env-backups/_runs/20261211T143022Z/runs.json",
    "JOB_RUN_ID": "jr_1",
}


def argv(**changes: str) -> list[str]:
    return [word for name, value in (VALUES | changes).items() for word in (f"--{name}", value)]


def test_given_the_contract_s_arguments_and_glue_s_own_then_all_are_understood() -> None:
    own = ["--JOB_NAME", "job", "--enable-metrics", "true", "--additional-python-modules", "s3://b/w.gluewheels.zip"]
    arguments = parse_arguments([*own, *argv()])
    assert arguments.region == "eu-central-1"
    assert (arguments.bucket, arguments.prefix) == ("bucket", "exports/env-backups/2026/12/11/")
    assert arguments.tables == {"dag_run": "run"}
    assert arguments.cutoff == datetime(2026, 11, 11, 14, 30, 22, tzinfo=UTC)
    assert arguments.max_age_in_days == 30
    assert arguments.groups == ("definitions", "runs")
    assert arguments.runs_prefix == "exports/env-backups/_runs/20261211T143022Z/"
    assert (arguments.max_connections, arguments.snapshot_hold_seconds) == (4, 900)


def test_given_a_selection_then_it_says_which_children_have_a_file_of_their_own() -> None:
    request = parse_arguments(argv(INCLUDE_TABLES='["mine"]', EXCLUDE_TABLES='["not_mine"]')).table_request
    assert [request.stands_alone(name) for name in ("mine", "not_mine", "another")] == [True, True, False]
    assert parse_arguments(argv()).table_request.stands_alone("another")


def test_given_null_then_everything_is_exported() -> None:
    arguments = parse_arguments(argv(CUTOFF="null", MAX_AGE_IN_DAYS="null"))
    assert arguments.cutoff is None
    assert arguments.max_age_in_days is None


@pytest.mark.parametrize(
    ("table", "name"),
    [("dag_run", "dag_run"), ("Ünï/~ x", "%C3%9Cn%C3%AF%2F%7E%20x"), ("a.b-c", "a.b-c")],
    ids=["plain", "hostile", "dots"],
)
def test_given_a_table_s_name_then_its_key_holds_only_what_s3_clients_take(table: str, name: str) -> None:
    expected = f"exports/env-backups/2026/12/11/{name}_143022.csv.gz"
    assert parse_arguments(argv()).table_key(table) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu_central_1"),
        ("S3_OUTPUT_PATH", "s3://bucket/no-slash"),
        ("EXPORT_TABLES", "not json"),
        ("EXPORT_TABLES", '[{"table": "x", "window": "sometimes"}]'),
        ("EXPORT_TABLES", json.dumps([{"table": "x", "window": "full"}] * 2)),
        ("EXPORT_TABLES", '[{"table": "x", "window": "full", "any_schema": "yes"}]'),
        ("WINDOWS", '["dag_run"]'),
        ("WINDOWS", '{"dag_run": "sometimes"}'),
        ("INCLUDE_TABLES", "dag_run"),
        ("EXPORT_GROUPS", '["definitions"]'),
        ("EXPORT_GROUPS", '"runs"'),
        ("CUTOFF", "yesterday"),
        ("CUTOFF", "2026-11-11T14:30:22"),
        ("MAX_AGE_IN_DAYS", "-1"),
        ("MAX_CONNECTIONS", "1"),
        ("EXPORT_ID", "2026"),
        ("MANIFEST_KEY", "runs"),
    ],
)
def test_given_a_wrong_value_then_the_error_names_argument_and_value(name: str, value: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_arguments(argv(**{name: value}))
    assert f"--{name}" in str(caught.value)


@pytest.mark.parametrize("name", ["AWS_REGION", "DATABASE_NAME"])
def test_given_a_missing_argument_then_the_error_names_it(name: str) -> None:
    words = argv()
    at = words.index(f"--{name}")
    with pytest.raises(ArgumentError, match=f"--{name}"):
        parse_arguments(words[:at] + words[at + 2 :])
