"""A group's manifest is read strictly."""

import json

import pytest
from aggregate_results.errors import ManifestError
from aggregate_results.manifest import parse_manifest

from tests.contracts import violations
from tests.unit.lambdas.aggregate_results.exports import entry, group_of, manifest, manifest_of_format_1

TABLES = {"dag_run": entry("key", 10, "abc=", [10], "run")}
CONTENT = manifest(group_of("runs"), TABLES)


def test_given_a_manifest_of_the_contract_then_it_is_read():
    assert violations("group_manifest", CONTENT) == []
    parsed = parse_manifest(json.dumps(CONTENT).encode())
    assert (parsed.group, parsed.tables["dag_run"].rows, parsed.tables["dag_run"].window) == ("runs", 3, "run")


def test_given_a_manifest_of_format_1_then_it_is_read_too():
    content = manifest_of_format_1(group_of("runs"), TABLES)
    assert violations("group_manifest", content) == []
    parsed = parse_manifest(json.dumps(content).encode())
    assert (parsed.tables["dag_run"].rows, parsed.failed_tables) == (3, {})


def test_given_format_2_without_its_fields_then_the_contract_is_violated():
    assert violations("group_manifest", {**manifest_of_format_1(group_of("runs"), TABLES), "format_version": 2})


def test_given_an_export_without_cutoff_then_null_is_read():
    content = {**CONTENT, "cutoff": None, "max_age_in_days": None}
    assert violations("group_manifest", content) == []
    assert parse_manifest(json.dumps(content).encode()).cutoff is None


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_given_a_truncated_manifest_then_it_is_refused(length):
    with pytest.raises(ManifestError, match="truncated"):
        parse_manifest(json.dumps(CONTENT).encode()[:length])


@pytest.mark.parametrize("content", [[], "x", 7, None])
def test_given_no_json_object_then_it_is_refused(content):
    with pytest.raises(ManifestError, match="not a JSON object"):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize("version", [None, 0, 3, True, "1"])
def test_given_another_format_then_it_is_refused(version):
    with pytest.raises(ManifestError, match="format_version"):
        parse_manifest(json.dumps({**CONTENT, "format_version": version}).encode())


# Fields that say when and how long; nothing depends on them.
INFORMATIVE = {"started_at", "finished_at", "duration_seconds", "max_age_in_days"}


@pytest.mark.parametrize("name", sorted(CONTENT.keys() - INFORMATIVE))
@pytest.mark.parametrize("value", ["absent", True], ids=["absent", "wrong type"])
def test_given_a_field_is_absent_or_of_another_type_then_the_error_names_it(name, value):
    content = {key: found for key, found in CONTENT.items() if key != name}
    if value != "absent":
        content[name] = value
    with pytest.raises(ManifestError, match=name):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize("name", sorted(TABLES["dag_run"].keys() - {"columns", "duration_seconds"}))
def test_given_a_field_of_a_table_is_absent_then_the_error_names_it(name):
    broken = {key: found for key, found in TABLES["dag_run"].items() if key != name}
    with pytest.raises(ManifestError, match=name):
        parse_manifest(json.dumps({**CONTENT, "tables": {"dag_run": broken}}).encode())


@pytest.mark.parametrize("tables", [{"dag_run": 7}, {"dag_run": {**TABLES["dag_run"], "rows": "3"}}], ids=str)
def test_given_a_table_that_is_no_entry_then_it_is_refused(tables):
    with pytest.raises(ManifestError):
        parse_manifest(json.dumps({**CONTENT, "tables": tables}).encode())
