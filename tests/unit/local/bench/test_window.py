"""Which windows are exported."""

from local.bench.dataset import of_size
from local.bench.window import SIZES, windows


def test_given_growing_databases_when_windows_are_chosen_then_the_same_runs_and_30_days_in_the_largest() -> None:
    chosen = windows([of_size(rows) for rows in SIZES])

    assert [(each.kind, each.data.rows, each.runs) for each in chosen] == [
        ("same", 1_000_000, 4109),
        ("same", 4_000_000, 4109),
        ("same", 16_000_000, 4109),
        ("days", 16_000_000, 65_753),
    ]
    assert [each.cutoff for each in chosen] == [
        "2026-10-02T00:06:11Z",
        "2026-10-24T12:01:32Z",
        "2026-10-30T03:00:23Z",
        "2026-10-02T00:00:16Z",
    ]
    assert len({each.key for each in chosen}) == 4


def test_given_one_database_when_windows_are_chosen_then_no_window_twice() -> None:
    [only] = windows([of_size(4_000)])

    assert (only.kind, only.runs) == ("same", 16)
