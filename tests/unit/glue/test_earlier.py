"""What a retry keeps of an earlier attempt: what is whole, and would be the same now."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError
from metadata_export.arguments import Arguments, parse_arguments
from metadata_export.catalog import Catalog, Column
from metadata_export.delivery import Delivery, Kept
from metadata_export.earlier import keep_whole
from metadata_export.manifest import build_manifest
from metadata_export.object_upload import UploadedObject
from metadata_export.plan import Extract, GroupPlan
from metadata_export.selection import Selection
from metadata_export.snapshot import Snapshot
from metadata_export.statements import Statement
from metadata_export.storage import Store
from metadata_export.work import ExportedTable

from tests.unit.glue.test_arguments import argv
from tests.unit.glue.test_work import COLUMNS, STARTED

ARGUMENTS = parse_arguments(argv())
HEADS = {"alembic_version": ["d2f4e1b3c5a7"]}
SNAPSHOT = Snapshot("0001", "claimed", "jr_first", None)
Manifest = dict[str, Any]


def extract(name: str, columns: tuple[Column, ...] = COLUMNS) -> Extract:
    return Extract(name, ARGUMENTS.table_key(name), "full", columns, (Statement("COPY", ""),), 1)


def plan(extracts: Sequence[Extract], *unread_evidence: str, **orphans: int) -> GroupPlan:
    catalog = Catalog({}, "15.18", 150_018, {}, {}, ())
    return GroupPlan(catalog, Selection({}, {}, (), {}), tuple(extracts), {}, orphans, unread_evidence)


EXTRACTS = (extract("job"), extract("pool"))


@pytest.fixture
def earlier(store: Store) -> Manifest:
    """The manifest of an attempt that has delivered two tables."""
    tables = [ExportedTable(each, put(store, each), 0.5) for each in EXTRACTS]
    manifest = build_manifest(
        ARGUMENTS.group_run,
        plan(EXTRACTS),
        HEADS,
        SNAPSHOT,
        Delivery(tables),
        STARTED,
        STARTED,
    )
    return write(store, manifest)


def put(store: Store, table: Extract) -> UploadedObject:
    part = store.put(table.key, b"gzip of a header")
    return UploadedObject(3, 100, part.size, part.sha256, (part.size,), 7)


def write(store: Store, manifest: Any) -> Any:
    store.put_json(ARGUMENTS.manifest_key, manifest)
    return manifest


def kept(
    store: Store, arguments: Arguments = ARGUMENTS, extracts: Sequence[Extract] = EXTRACTS, heads: Any = HEADS
) -> Kept:
    return keep_whole(arguments.group_run, arguments.manifest_key, store, plan(extracts), heads)


def test_given_no_earlier_attempt_then_nothing_is_kept(store: Store) -> None:
    assert kept(store) == Kept()


def test_given_tables_that_could_not_be_read_for_the_window_then_nothing_of_that_window_is_kept(
    store: Store, earlier: Manifest
) -> None:
    assert keep_whole(ARGUMENTS.group_run, ARGUMENTS.manifest_key, store, plan(EXTRACTS, "xcom"), HEADS) == Kept()


def test_given_everything_is_whole_then_it_is_kept_as_the_manifest_has_it(store: Store, earlier: Manifest) -> None:
    found = kept(store)
    assert found.tables == earlier["tables"]
    assert found.snapshot == earlier["snapshot"]
    assert (found.job_run_id, found.consistency) == (earlier["job_run_id"], "snapshot")


def test_given_orphans_then_those_of_a_table_that_is_kept_are_those_in_its_file(
    store: Store, earlier: Manifest
) -> None:
    write(store, earlier | {"orphans": {"job": 3, "pool": 4}})
    store.s3.delete_object(Bucket=store.bucket, Key=EXTRACTS[1].key)
    new = Delivery([ExportedTable(EXTRACTS[1], put(store, EXTRACTS[1]), 0.5)], kept=kept(store, extracts=EXTRACTS[:1]))

    now = plan(EXTRACTS, job=1, pool=2)  # the database goes on
    merged = build_manifest(ARGUMENTS.group_run, now, HEADS, SNAPSHOT, new, STARTED, STARTED)

    assert merged["orphans"] == {"job": 3, "pool": 2}


@pytest.mark.parametrize("orphans", [None, [], {"job": "x"}], ids=str)
def test_given_orphans_that_are_no_numbers_then_nothing_is_kept(
    store: Store, earlier: Manifest, orphans: object
) -> None:
    write(store, earlier | {"orphans": orphans})
    assert kept(store) == Kept()


def test_given_a_table_that_is_not_asked_for_any_more_then_it_is_not_kept(store: Store, earlier: Manifest) -> None:
    assert list(kept(store, extracts=EXTRACTS[:1]).tables) == ["job"]


@pytest.mark.parametrize("body", [None, b"gzip of a header!", b"gzip of a heade", b"gzip of a Header"], ids=str)
def test_given_an_object_is_not_what_the_manifest_says_then_it_is_not_kept(
    store: Store, earlier: Manifest, body: bytes | None
) -> None:
    key = EXTRACTS[0].key
    store.s3.delete_object(Bucket=store.bucket, Key=key) if body is None else store.put(key, body)
    assert list(kept(store).tables) == ["pool"]


def test_given_an_object_without_checksum_then_it_is_not_kept(store: Store, earlier: Manifest) -> None:
    store.s3.put_object(Bucket=store.bucket, Key=EXTRACTS[0].key, Body=b"gzip of a header", ChecksumAlgorithm="CRC32")
    assert list(kept(store).tables) == ["pool"]


def test_given_s3_does_not_say_then_it_is_exported_again(
    store: Store, earlier: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "HeadObject")  # type: ignore[typeddict-item]

    monkeypatch.setattr(store.s3, "head_object", refuse)
    assert kept(store).tables == {}


@pytest.mark.parametrize(
    "now",
    [
        extract("job", (*COLUMNS, Column("note", "text", False, False))),
        extract("job", (COLUMNS[0], Column("group", "uuid", False, False))),
        Extract("job", "another/key", "full", COLUMNS, (Statement("COPY", ""),), 1),
        Extract("job", EXTRACTS[0].key, "date", COLUMNS, (Statement("COPY", ""),), 1),
    ],
    ids=["a new column", "another type", "another key", "another rule"],
)
def test_given_a_table_would_be_another_file_now_then_it_is_exported_again(
    store: Store, earlier: Manifest, now: Extract
) -> None:
    assert list(kept(store, extracts=(now, EXTRACTS[1])).tables) == ["pool"]


@pytest.mark.parametrize(
    "field", ["rows", "csv_bytes", "object_bytes", "checksum_sha256", "part_sizes", "columns", "duration_seconds"]
)
@pytest.mark.parametrize("value", [None, "x"], ids=["absent", "wrong"])
def test_given_an_entry_is_damaged_then_the_table_is_exported_again(
    store: Store, earlier: Manifest, field: str, value: object
) -> None:
    earlier["tables"]["job"][field] = value
    if value is None:
        del earlier["tables"]["job"][field]
    write(store, earlier)
    assert list(kept(store).tables) == ["pool"]


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest | {"export_id": "20261210T143022Z"},
        lambda manifest: manifest | {"group": "tasks"},
        lambda manifest: manifest | {"cutoff": None},
        lambda manifest: manifest | {"format_version": 1},
        lambda manifest: manifest | {"format_version": 3},
        lambda manifest: manifest | {"database": {"alembic_heads": {"alembic_version": ["x"]}}},
        lambda manifest: manifest | {"database": None},
        lambda manifest: manifest | {"tables": list(manifest["tables"])},
        lambda manifest: manifest | {"snapshot": "0001"},
        lambda manifest: manifest | {"consistency": "whatever"},
        lambda manifest: {},
        lambda manifest: [],
    ],
    ids=["export", "group", "cutoff", "older format", "newer format", "schema", "no database", "tables", "snapshot",
         "consistency", "empty", "no object"],
)  # fmt: skip
def test_given_the_manifest_of_something_else_then_nothing_is_kept(
    store: Store, earlier: Manifest, change: Callable[[Manifest], Any]
) -> None:
    write(store, change(earlier))
    assert kept(store) == Kept()


def test_given_another_window_or_schema_now_then_nothing_is_kept(store: Store, earlier: Manifest) -> None:
    assert kept(store, parse_arguments(argv(CUTOFF="2026-11-12T14:30:22Z"))) == Kept()
    assert kept(store, heads={"alembic_version": ["eeee"]}) == Kept()


def test_given_a_manifest_that_is_cut_then_nothing_is_kept(store: Store, earlier: Manifest) -> None:
    store.put(ARGUMENTS.manifest_key, json.dumps(earlier).encode()[:-9])
    assert kept(store) == Kept()


OWN = Snapshot("0002", "own", "jr_second", "the export's snapshot is gone")


@pytest.mark.parametrize(
    ("snapshot", "new", "consistency", "reason"),
    [
        pytest.param(
            OWN, EXTRACTS[:1], "per-group", "1 of 2 tables show another snapshot, that of the attempt jr_", id="mixed"
        ),
        pytest.param(OWN, (), "snapshot", None, id="nothing new"),
        pytest.param(Snapshot("0002", "imported", "jr_first", None), EXTRACTS[:1], "snapshot", None, id="the same"),
        pytest.param(Snapshot("0002", "own", "jr_second", None), EXTRACTS[:1], "per-group", "show another", id="alone"),
    ],
)
def test_given_tables_were_kept_then_the_manifest_claims_one_moment_only_where_it_is_one(
    store: Store, earlier: Manifest, snapshot: Snapshot, new: Sequence[Extract], consistency: str, reason: str | None
) -> None:
    found = kept(store, extracts=[each for each in EXTRACTS if each not in new])
    tables = [ExportedTable(each, put(store, each), 0.5) for each in new]
    manifest = build_manifest(
        ARGUMENTS.group_run, plan(EXTRACTS), HEADS, snapshot, Delivery(tables, kept=found),
        STARTED, STARTED,
    )  # fmt: skip
    assert manifest["consistency"] == consistency
    assert sorted(manifest["tables"]) == ["job", "pool"]
    said = manifest["snapshot"]["reason"]
    assert said is None if reason is None else reason in said
    if snapshot is OWN and new:
        assert said.endswith("; the export's snapshot is gone")
