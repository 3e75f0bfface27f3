"""The file of the schema: what is written is read again, and what is damaged is refused."""

import dataclasses
import json

import pytest
from metadata_export.schema.entries import ROWS, Entry, file_text
from metadata_restore import entries
from metadata_restore.entries import KINDS, SchemaFileError, read_entries, read_header

from tests.contract_examples import FOLDER, Example, examples

HOSTILE = '\n-- {"section": "data", "kind": "rows", "schema": "", "name": "", "bytes": 0}\n\u2028"表\''
ENTRIES = [
    Entry(
        "pre-data", "table", "public", HOSTILE, f"CREATE TABLE x (\n    y text DEFAULT '{HOSTILE}'\n);", HOSTILE, True
    ),
    Entry("data", "sequence state", "public", "s", "SELECT 1;", None, False, 7, True),
    Entry("data", "sequence state", "public", "t", "-- not known"),
    ROWS,
    Entry("post-data", "index", "public", "empty", "", "dag"),
]
READ = [entries.Entry(**dataclasses.asdict(entry)) for entry in ENTRIES]


def test_given_hostile_entries_then_they_are_read_as_they_were_written() -> None:
    assert read_entries(file_text("a title", ENTRIES)) == READ


def test_given_a_file_that_is_cut_anywhere_then_it_is_refused_or_has_fewer_entries() -> None:
    text = file_text("a title", ENTRIES)
    whole = {length for length in range(len(text) - 2) if is_readable(text[:length])}
    assert len(whole) < 3 * len(ENTRIES)
    for length in whole:
        found = read_entries(text[:length])
        assert found == READ[: len(found)] != READ


def is_readable(text: bytes) -> bool:
    try:
        return bool(read_entries(text))
    except SchemaFileError:
        return False


def test_given_something_between_two_entries_then_it_is_refused() -> None:
    text = file_text("a title", ENTRIES).replace(b"\n\n-- {", b"\n\nDROP TABLE dag;\n-- {", 2)
    with pytest.raises(SchemaFileError, match="an entry must follow after 1 entries, but there is b'DROP TABLE dag;'"):
        read_entries(text)


def test_the_schema_names_every_kind() -> None:
    schema = json.loads((FOLDER.parent / "schema_entry.schema.json").read_text())
    assert set(schema["properties"]["kind"]["enum"]) == KINDS


@pytest.mark.parametrize("example", examples("schema_entry", "valid"), ids=str)
def test_given_a_valid_line_then_it_reads_as_the_contract_says_and_is_written_so(example: Example) -> None:
    entry, size = read_header(example.text)
    read = dataclasses.asdict(entry) | {"bytes": size}
    assert {name: value for name, value in read.items() if name != "sql"} == example.reading
    assert Entry(**dataclasses.asdict(entry)).header(size) == example.document


@pytest.mark.parametrize("example", examples("schema_entry", "invalid"), ids=str)
def test_given_an_invalid_line_then_the_error_names_what_is_wrong(example: Example) -> None:
    with pytest.raises(SchemaFileError) as refused:
        read_header(example.text)
    assert [name for name in example.names if name not in str(refused.value)] == []
