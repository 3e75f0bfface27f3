"""Sparklines: drawn from zero, and comparable with the export before."""

from dataclasses import replace

import pytest
from aggregate_results.report.history import past_export
from aggregate_results.report.sparkline import caption, sparkline

from tests import report_cases as cases

LAST = past_export(cases.summary())


def exports(*rows: int) -> tuple:
    """Return exports with so many rows."""
    return tuple(replace(LAST, rows=number) for number in rows)


def drawn(*rows: int) -> list[list[float]]:
    """Return the points of the line."""
    svg = sparkline("Rows", exports(*rows), lambda past: past.rows, lambda past: str(past.rows))
    line = svg.partition("<polyline points=")[2].split('"')[1]
    return [[float(number) for number in point.split(",")] for point in line.split()]


def test_given_values_then_the_scale_begins_at_zero():
    (_, bottom), (_, middle), (_, top) = drawn(0, 50, 100)
    assert bottom - middle == middle - top > 0


def test_given_values_then_they_are_apart_evenly_from_edge_to_edge():
    xs = [x for x, _ in drawn(1, 2, 3)]
    assert xs[1] - xs[0] == xs[2] - xs[1] > 100


def test_given_only_zeros_then_the_line_lies_at_the_bottom():
    assert len({y for _, y in drawn(0, 0, 0)}) == 1


def test_given_numbers_beyond_a_float_then_they_are_drawn():
    (_, small), (_, large) = drawn(10**400, 2 * 10**400)
    assert small > large


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((100,), ""),
        ((100, 100), "as the export before"),
        ((0, 5), "more than the export before"),
        ((100, 90), "\N{MINUS SIGN}10 % since the export before"),
        ((1000, 1003), "+0.3 % since the export before"),
        ((1, 10**400), "over ten times the export before"),
    ],
    ids=["the first", "equal", "from nothing", "less", "a little more", "huge"],
)
def test_given_the_export_before_then_the_caption_compares(rows, text):
    assert caption(exports(*rows), lambda past: past.rows) == text
