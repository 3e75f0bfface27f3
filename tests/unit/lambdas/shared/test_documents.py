"""What is read of the documents: everything that their schemas allow, of each format, and nothing else."""

import copy
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import ForeignKey, OwnedSequence
from export_contracts.fields import DocumentError
from export_contracts.findings import FailedGroup, RowFall
from export_contracts.manifest import Manifest, Snapshot
from export_contracts.parquet import ParquetColumns
from export_contracts.plan import Decision, Plan
from export_contracts.pointer import Pointer
from export_contracts.proof import Proof
from export_contracts.summary import Selection, Summary
from hypothesis import given
from hypothesis import strategies as st

from tests import documents
from tests.contract_examples import examples
from tests.contracts import violations
from tests.unit.lambdas.plan_export.cases import OTHER_ARN, draft

KEYS = {
    "primary_key": ("id", 'b"'),
    "foreign_keys": (ForeignKey("", ("id",), "other", ("x",)),),
    "sequences": (OwnedSequence("other.dag_id_seq", "id"),),
}
HOSTILE = "x\x1b[31m\u202e\n'\"<b>"
SCHEMA = ExportedSchema(
    "exports/2026/12/11/export_schema_143022.sql.gz", 10, 7, "abc=", {HOSTILE: -3}, ("view public.v",)
)
SUMMARY = documents.summary(
    status="INCOMPLETE",
    scope="partial",
    selection=Selection(("dag", HOSTILE), ("log",)),
    details={"dag": documents.table(**KEYS), HOSTILE: documents.table(rows=10**400)}
    | {"xcom": documents.table("tasks", parquet=documents.parquet())},
    schema=SCHEMA,
    skipped_tables={"session": "excluded: browser sessions, which are credentials"},
    uncatalogued_tables=(HOSTILE,),
    orphans={"dag": 1},
    unread_evidence=("xcom",),
    masked_columns={"dag": ("note",)},
    failed_groups=(FailedGroup("tasks", ("xcom",), {"xcom": HOSTILE}, "1 of 2 tables", None),),
    problems=(HOSTILE,),
    compared_with="s3://bucket/previous.json.gz",
    row_falls=(RowFall("dag", 1000, 3, 99.7),),
    exporter_version=HOSTILE,
    fernet_key_version=HOSTILE,
)
MANIFEST = documents.manifest(
    snapshot=Snapshot("own", documents.RUN_ID, "the claimer is gone"),
    consistency="per-group",
    tables={
        "dag": documents.table(**KEYS),
        HOSTILE: documents.table(rows=0),
        "variable": documents.table(parquet=documents.parquet()),
    },
    schema=SCHEMA,
    failed_tables={"variable": HOSTILE},
    skipped_tables={"xcom": "not in this version"},
    uncatalogued_tables=(HOSTILE,),
    orphans={"dag": 1},
    unread_evidence=("xcom",),
    masked_columns={"dag": ("note",)},
)
POINTER = documents.pointer("exports/prod-backups/2026/12/11/export_summary_143022.json.gz")
ASKED = {"exclude_tables": ["log"], "include_tables": ["dag", "xcom"]}
PLAN = Plan(Decision(True, "because", OTHER_ARN), *draft(ASKED))
DOCUMENTS: dict[str, Any] = {
    "export_summary": SUMMARY,
    "group_manifest": MANIFEST,
    "pointer": POINTER,
    "plan": PLAN,
}


@pytest.mark.parametrize("contract", DOCUMENTS)
def test_given_a_document_then_its_schema_allows_it_and_it_is_read_as_it_was_written(contract):
    document = DOCUMENTS[contract]
    assert violations(contract, document.to_json()) == []
    assert type(document).from_json(json.loads(json.dumps(document.to_json()))) == document


def test_given_the_content_of_an_object_then_it_is_read_as_it_was_written():
    assert Summary.from_bytes(SUMMARY.to_bytes()) == SUMMARY
    assert Pointer.from_bytes(POINTER.to_bytes()) == POINTER
    assert Manifest.from_bytes(json.dumps(MANIFEST.to_json()).encode()) == MANIFEST


@pytest.mark.parametrize("example", examples("pointer", "valid"), ids=str)
def test_given_a_valid_pointer_then_it_reads_as_the_contract_says(example):
    assert Pointer.from_bytes(example.text.encode()).to_json() == example.reading


@pytest.mark.parametrize("example", examples("proof", "valid"), ids=str)
def test_given_a_valid_proof_then_it_reads_as_the_contract_says(example):
    proof = Proof.from_bytes(example.text.encode())
    assert example.reading.items() <= proof.to_json().items()
    assert Proof.from_bytes(proof.to_bytes()) == proof
    assert violations("proof", proof.to_json()) == []


@pytest.mark.parametrize("example", examples("proof", "invalid"), ids=str)
def test_given_an_invalid_proof_then_the_error_names_what_is_wrong(example):
    with pytest.raises(DocumentError) as refused:
        Proof.from_bytes(example.text.encode())
    assert [name for name in example.names if name not in str(refused.value)] == []


@pytest.mark.parametrize("example", examples("pointer", "invalid"), ids=str)
def test_given_an_invalid_pointer_then_the_error_names_what_is_wrong(example):
    with pytest.raises(DocumentError) as refused:
        Pointer.from_bytes(example.text.encode())
    assert [name for name in example.names if name not in str(refused.value)] == []


@pytest.mark.parametrize("example", examples("parquet_columns", "valid"), ids=str)
def test_given_valid_columns_of_parquet_files_then_they_read_as_the_contract_says(example):
    read = ParquetColumns.from_bytes(example.text.encode())
    assert read.to_json() == example.document
    types = {table: {column.name: column.type for column in columns} for table, columns in read.tables.items()}
    assert types == example.reading


@pytest.mark.parametrize("example", examples("parquet_columns", "invalid"), ids=str)
def test_given_invalid_columns_of_parquet_files_then_the_error_names_what_is_wrong(example):
    with pytest.raises(DocumentError) as refused:
        ParquetColumns.from_bytes(example.text.encode())
    assert [name for name in example.names if name not in str(refused.value)] == []


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where every value of a document stands, and the document itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inside for place in places(each, (*path, key)))]


def changed(content: Any, path: tuple[Any, ...], value: object) -> Any:
    """Return a document with another value in a place."""
    if not path:
        return value
    made = copy.deepcopy(content)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return made


ODD = st.sampled_from([None, True, False, 0, 1, -1, 3.5, "", HOSTILE, "COMPLETE", [], {}, [None], {"a": None}, [[]]])


@pytest.mark.parametrize("contract", DOCUMENTS)
@given(data=st.data())
def test_given_anything_else_somewhere_then_it_is_read_if_and_only_if_the_schema_allows_it(contract, data):
    content = DOCUMENTS[contract].to_json()
    path = data.draw(st.sampled_from(places(content)))
    made = changed(content, path, data.draw(ODD))
    found = [each for each in violations(contract, made) if not any(words in each for words in NOT_READ)]
    refused = refusal(contract, made)
    # What contradicts itself no schema can name.
    assert bool(refused) == bool(found) or any(words in refused for words in CONTRADICTIONS)
    assert len(refused) < 600
    assert refused.isprintable()


CONTRADICTIONS = ("what the details say", "one for each of columns")
# What no reader depends on: names of groups, fields of a version to come, and that nothing is said rather than 0.
NOT_READ = ("does not match '^[a-z_]+$'", "Additional properties are not allowed", "0 is less than the minimum of 1")


def refusal(contract: str, content: Any) -> str:
    """Return why a document is refused; nothing when it is read."""
    kind = type(DOCUMENTS[contract])
    try:
        read = kind.from_json(content)
    except DocumentError as error:
        return str(error)
    assert kind.from_json(read.to_json()) == read
    return ""


@pytest.mark.parametrize("contract", DOCUMENTS)
def test_given_a_field_is_missing_then_it_is_refused_where_the_schema_requires_it(contract):
    content = DOCUMENTS[contract].to_json()
    for name in content:
        without = {key: value for key, value in content.items() if key != name}
        if violations(contract, without):
            with pytest.raises(DocumentError, match=f"it lacks {name}$"):
                type(DOCUMENTS[contract]).from_json(without)
        else:
            type(DOCUMENTS[contract]).from_json(without)


def test_given_a_field_of_a_table_is_missing_then_the_error_says_where():
    content = MANIFEST.to_json()
    for name in list(content["tables"]["dag"]):
        broken = changed(content, ("tables", "dag"), {k: v for k, v in content["tables"]["dag"].items() if k != name})
        if not violations("group_manifest", broken):  # it may be missing
            assert Manifest.from_json(broken).to_json() == broken
            continue
        with pytest.raises(DocumentError, match=rf"it lacks tables\.dag\.{name}$"):
            Manifest.from_json(broken)


@pytest.mark.parametrize("version", [None, 0, 3, True, 1.0, "1", "2"])
@pytest.mark.parametrize("contract", ["export_summary", "group_manifest"])
def test_given_another_format_then_it_is_not_guessed_at(contract, version):
    with pytest.raises(DocumentError, match=r"format_version is .*; allowed is 1 or 2"):
        type(DOCUMENTS[contract]).from_json(DOCUMENTS[contract].to_json() | {"format_version": version})


def test_given_a_summary_of_format_1_then_what_it_does_not_tell_is_not_known_or_none():
    content = documents.of_format_1(SUMMARY)
    assert violations("export_summary", content) == []
    assert violations("export_summary", content | {"format_version": 2}) != []
    read = Summary.from_json(content)
    assert (read.format_version, read.scope, read.selection) == (1, None, None)
    assert (read.orphans, read.unread_evidence, read.masked_columns) == ({}, (), {})
    assert [group.failed_tables for group in read.failed_groups] == [{}]
    assert (read.tables, read.problems) == (SUMMARY.tables, SUMMARY.problems)
    assert violations("export_summary", read.to_json()) == []
    assert Summary.from_json(read.to_json()) == read


def test_given_one_of_the_first_summaries_of_format_2_then_it_is_read_too():
    content = documents.of_format_1(documents.summary()) | {"format_version": 2}
    assert violations("export_summary", content) == []
    assert Summary.from_json(content).scope is None


def test_given_a_manifest_of_format_1_then_what_it_does_not_tell_is_none():
    content = documents.of_format_1(MANIFEST)
    assert violations("group_manifest", content) == []
    assert violations("group_manifest", content | {"format_version": 2}) != []
    read = Manifest.from_json(content)
    assert (read.failed_tables, read.orphans, read.unread_evidence, read.masked_columns) == ({}, {}, (), {})
    fields = dict.fromkeys(["content_checksum", *KEYS])
    assert read.tables == {name: replace(table, **fields) for name, table in MANIFEST.tables.items()}
    assert read.schema is None


def test_given_an_export_without_cutoff_then_null_is_read():
    content = MANIFEST.to_json() | {"cutoff": None, "max_age_in_days": None}
    assert violations("group_manifest", content) == []
    assert Manifest.from_json(content).cutoff is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"total_rows": 4}, "total_rows is 4; allowed is what the details say: 3"),
        ({"total_tables": 2}, "total_tables is 2; allowed is what the details say: 1"),
        ({"tables": {"dag": 4}}, "tables is {'dag': 4}; allowed is what the details say: {'dag': 3}"),
        ({"export_id": "2026121T143022Z"}, "export_id is '2026121T143022Z'; allowed is a time in UTC such as"),
        ({"export_id": "20261311T143022Z"}, "allowed is a time in UTC such as"),
        ({"problems": ["\ud800"]}, r"problems[0] is '\ud800'; allowed is a text"),
        ({"duration_seconds": 10**400}, "allowed is a finite number"),
    ],
    ids=["rows", "number of tables", "tables", "short id", "no time", "half a character", "no float"],
)
def test_given_what_no_schema_can_say_then_it_is_refused_all_the_same(changes, said):
    with pytest.raises(DocumentError) as refused:
        Summary.from_json(documents.summary().to_json() | changes)
    assert said in str(refused.value)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_given_a_truncated_document_then_the_error_says_so(length):
    for read, body in (
        (Manifest.from_bytes, json.dumps(MANIFEST.to_json()).encode()),
        (Pointer.from_bytes, POINTER.to_bytes()),
        (Summary.from_bytes, SUMMARY.to_bytes()),
    ):
        with pytest.raises(DocumentError, match="truncated"):
            read(body[: min(length, len(body) - 1)])


CORRUPT = SUMMARY.to_bytes()[:20] + b"\0\0\0\0" + SUMMARY.to_bytes()[24:]


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(b"{", mtime=0), CORRUPT], ids=range(4))
def test_given_a_damaged_object_then_it_is_no_summary(body):
    with pytest.raises(DocumentError):
        Summary.from_bytes(body)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_given_a_number_that_is_none_then_it_is_refused(number):
    body = json.dumps(MANIFEST.to_json() | {"duration_seconds": 0.25}).replace("0.25", number)
    with pytest.raises(DocumentError, match="finite"):
        Manifest.from_bytes(body.encode())


def test_given_deep_nesting_then_it_is_refused():
    with pytest.raises(DocumentError, match="not JSON"):
        Manifest.from_bytes(b"[" * 100_000)


def test_given_a_field_of_a_version_to_come_then_the_rest_is_read():
    assert Summary.from_json(SUMMARY.to_json() | {"to_come": 1}) == SUMMARY
    assert Manifest.from_json(changed(MANIFEST.to_json(), ("tables", "dag", "to_come"), 1)) == MANIFEST


@pytest.mark.parametrize("path", [("export",), ("groups", 0), ("groups", 0, "tables", 0)], ids=str)
def test_given_a_plan_that_asks_for_what_is_not_known_then_it_is_refused(path):
    with pytest.raises(DocumentError, match=r"it has .*to_come; allowed are"):
        Plan.from_json(changed(PLAN.to_json(), (*path, "to_come"), 1))
