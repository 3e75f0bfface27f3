"""The look for unknown tables has a Glue run of its own only where there may be some."""

from dataclasses import replace

import pytest
from plan_export.table_registry import CATALOGUED_NAMES, GROUPS
from plan_export.unknown_tables import share_look

from tests.documents import pointer, stored, summary
from tests.unit.lambdas.plan_export.cases import draft

KEY = "exports/prod-backups/2026/12/10/export_summary_143022.json.gz"


@pytest.fixture
def newest(store):
    """Writes the newest full export, and what its summary says of unknown tables."""

    def write(*names: str) -> None:
        export = draft()[0]
        store.write(export.latest_key, stored(pointer(KEY)), "application/json")
        store.write(KEY, stored(replace(summary(), uncatalogued_tables=names)), "application/gzip")

    return write


def shared(store, raw=None):
    export, groups = draft(raw)
    return share_look(groups, store, export)


def test_given_an_export_that_found_no_unknown_table_then_the_first_group_looks(store, newest):
    newest()
    groups = shared(store, {"exclude_tables": ["log", "other team"]})
    assert [group.group for group in groups] == list(GROUPS)
    assert groups[0].catalogued_tables == CATALOGUED_NAMES
    assert groups[0].exclude_tables == ("log", "other team")
    assert [group.catalogued_tables for group in groups[1:]] == [(), (), ()]
    assert groups[0].tables == draft({"exclude_tables": ["log", "other team"]})[1][0].tables


def test_given_an_export_that_found_one_then_the_look_has_a_run_of_its_own(store, newest):
    newest("other team")
    assert shared(store) == draft()[1]


@pytest.mark.parametrize("damage", ["no pointer", "no summary", "damaged"])
def test_given_nobody_knows_then_the_look_has_a_run_of_its_own(store, newest, damage):
    if damage != "no pointer":
        newest()
        store.write(KEY, b"{" if damage == "damaged" else b"", "application/gzip")
    assert [group.group for group in shared(store)] == [*GROUPS, "uncatalogued"]


def test_given_unknown_tables_that_were_asked_for_then_they_keep_their_run(store, newest):
    newest()
    raw = {"include_tables": ["dag", "other team"]}
    assert shared(store, raw) == draft(raw)[1]


def test_given_only_registered_tables_then_nobody_looks(store, newest):
    newest()
    raw = {"include_tables": ["dag", "log"]}
    assert shared(store, raw) == draft(raw)[1]
