"""What people read: chart and page."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from local.bench.report import BEGIN, END, draw_chart, update_page
from tests.unit.local.bench.results import result, row, windowed

SVG = {"svg": "http://www.w3.org/2000/svg"}


def test_given_contest_when_drawn_then_bars_are_to_scale_shortest_first_and_the_engine_stands_out() -> None:
    contest = [row("original", 1_000_000, 80.0), row("engine", 4_000_000, 8.0), row("pg_dump-j2", 4_000_000, 16.0)]

    drawn = ElementTree.fromstring(draw_chart(result(contest=contest)))  # noqa: S314 - our own

    bars = drawn.findall("svg:rect[@rx='3']", SVG)
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [width / widths[-1] for width in widths] == pytest.approx([2 / 80, 4 / 80, 1], abs=0.001)
    assert [bar.attrib["fill"] == "#0969da" for bar in bars] == [True, False, False]
    texts = [text.text for text in drawn.findall("svg:text", SVG)]
    assert texts[2:] == ["<engine>", "2.0 s", "<pg_dump-j2>", "4.0 s", "<original>", "80.0 s"]


def test_given_page_when_updated_twice_then_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Before\n\n{BEGIN}\nwritten before\n{END}\n\nAfter\n")
    slots = [row("one", 4_000_000, 13.0, slots=1), row("two", 4_000_000, 9.5, slots=2)]

    windows = [windowed("engine", "days", 16_000_000)]
    fixed = {"steps": [row("start", 1, 2.0)], "imports": [{"process": "driver", "package": "botocore", "ms": 99.6}]}
    versions = {f"package-{number}": "1.23" for number in range(20)}
    measured = result(
        versions=versions, slots=slots, window=windows, fixed=fixed, unavailable={"somebody": "no driver"}
    )

    update_page(page, measured)
    once = page.read_text()
    update_page(page, measured)

    assert page.read_text() == once
    assert once.startswith(f"# Before\n\n{BEGIN}\n")
    assert once.endswith(f"{END}\n\nAfter\n")
    assert "written before" not in once
    assert "Not measured: somebody: no driver" in once
    assert 100 < max(len(line) for line in once.splitlines() if not line.startswith("|")) <= 120
    assert "| <one> | 4,000,000 | 13.0 | 12.5 - 13.5 | 3.25 | 10.0 |" in once
    assert "| <one> | 5 | 100 | - | 3.5 | 4.0 | 0.2 |" in once
    assert "| <engine-days-16000000>, 30 days | 16 million | 82,000 | 10.0 | 9.5 - 10.5 | 8.0 | 1,234,567 |" in once
    assert "| <engine-days-16000000>, 30 days | 16 million | 4.00 | 3.00 | 1.00 | 1.00 | 2.00 | 100 |" in once
    assert "| <start> | 2.00 | 1.00 | 2.00 | 100 |" in once
    assert "| driver | botocore 100 ms |" in once
    assert "| at least 1.7 times | 1.5 times | missed |" in once


def test_given_page_without_marks_when_updated_then_refused_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Somebody's own page\n")

    with pytest.raises(ValueError, match="unpack"):
        update_page(page, result())

    assert page.read_text() == "# Somebody's own page\n"
