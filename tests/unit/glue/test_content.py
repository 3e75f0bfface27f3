"""The checksum of a table's content."""

from itertools import permutations

import pytest
from metadata_export.content import content_checksum, sum_of_rows

ROWS = [b"1,a\n", b"2,\n", b'3,"x\ny"\n', b"1,a\n"]


def test_given_rows_in_any_order_and_chunks_when_summed_then_the_checksum_is_the_same() -> None:
    found = {content_checksum(sum_of_rows(order)) for order in permutations(ROWS)}
    found |= {content_checksum(sum_of_rows(ROWS[:cut]) + sum_of_rows(map(memoryview, ROWS[cut:]))) for cut in range(5)}

    assert found == {"xxh3-sum:233334ef5e58538a"}  # fixed: what was recorded must be found again


@pytest.mark.parametrize(
    "damaged",
    [ROWS[:3], [*ROWS, ROWS[0]], [*ROWS[:3], b"1,b\n"], [*ROWS[:3], b"1,a"], [b"1,\n", b"2,a\n", *ROWS[2:]], ROWS[1:3]],
    ids=["lost", "twice", "changed", "cut", "values of two rows exchanged", "both of two equal rows lost"],
)
def test_given_rows_that_differ_when_summed_then_the_checksum_differs(damaged: list[bytes]) -> None:
    assert content_checksum(sum_of_rows(damaged)) != content_checksum(sum_of_rows(ROWS))
