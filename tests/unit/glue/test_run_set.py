"""Sets of dag runs; that their conditions mean what they say is tested on PostgreSQL in tests/integration/engine."""

import re
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_export.run_set import DamagedRunSetError, RunSet, pack, run_set, unpack
from psycopg import sql

IDS = st.lists(st.integers(-(2**63), 2**63 - 1))
COLUMN = sql.Identifier("id")


def text(runs: RunSet) -> str:
    return runs.condition(COLUMN).as_string(None)


@given(IDS)
def test_ids_survive_being_packed(ids: list[int]) -> None:
    runs = run_set(ids, "bigint")
    assert list(unpack(pack(array("q", runs.ids)))) == sorted(set(ids))


@given(st.text())
def test_what_was_not_packed_is_refused_or_ascends(packed: str) -> None:
    try:
        ids = list(unpack(packed))
    except DamagedRunSetError:
        return
    assert ids == sorted(set(ids))


@given(st.integers(0, 400), st.integers(1, 50))
def test_batches_hold_each_id_once(number: int, size: int) -> None:
    runs = run_set(range(number), "integer")
    batches = runs.batches(size)
    assert [each for batch in batches for each in batch.ids] == list(range(number))
    assert all(0 < len(batch.ids) <= size for batch in batches)


def test_ten_million_runs_are_told_in_few_bytes() -> None:
    everything = pack(array("q", range(1, 10_000_001)))
    assert len(everything) < 50_000
    assert len(pack(array("q", (each * 7 // 4 for each in range(1_000_000))))) < 50_000


def test_few_ids_are_a_list_and_many_a_bitmap_whose_text_depends_on_the_range_alone() -> None:
    assert text(run_set([], "integer")) == "\"id\" = ANY ('{}'::integer[])"
    assert text(run_set([1, 500], "integer")) == "\"id\" = ANY ('{1,500}'::integer[])"
    dense = text(run_set([9, 5, 6, 9], "integer"))
    assert dense == (
        '("id" BETWEEN 5 AND 9 AND pg_catalog.get_bit('
        "'\\x13'::pg_catalog.bytea, (LEAST(GREATEST(\"id\", 5), 9) - 5)::integer) <> 0)"
    ).replace("'\\x13'", " E'\\\\x13'")
    assert len(text(run_set(range(100_000), "integer"))) < 26_000
    assert len(text(run_set(range(0, 100_000, 2), "integer"))) < 26_000


@given(st.sets(st.integers(-5000, 5000), min_size=1))
def test_the_bits_that_are_set_are_the_ids(ids: set[int]) -> None:
    runs = run_set(ids, "integer")
    found = re.search(r"x([0-9a-f]+)'::pg_catalog.bytea", text(runs))
    if found is None:
        assert all(re.search(rf"[{{,]{each}[,}}]", text(runs)) for each in ids)
        return
    bits = bytes.fromhex(found[1])
    first = min(ids)
    assert {first + place for place in range(8 * len(bits)) if bits[place >> 3] >> (place & 7) & 1} == ids


def test_ids_of_another_type_are_a_list_of_quoted_texts() -> None:
    runs = run_set(['b,"\\', "a'", "a'"], "uuid")
    assert runs.ids == ("a'", 'b,"\\')
    assert text(runs) == """"id" = ANY ( E'{"a''","b,\\\\"\\\\\\\\"}'::uuid[])"""


@pytest.mark.parametrize("kind", ["integer", "text"])
def test_a_set_without_some_ids_is_the_others(kind: str) -> None:
    ids: list[object] = [1, 2, 3] if kind == "integer" else ["1", "2", "3"]
    assert list(run_set(ids, kind).without([ids[1], "absent"]).ids) == [ids[0], ids[2]]
