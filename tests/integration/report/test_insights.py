"""The page of `insights` in a real browser: on a phone and on a desk, light and dark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from export_cli.insights.document import render_insights
from local.browser import Browser, Page
from tests import insight_cases as cases
from tests.integration.report.test_in_browser import LOWEST_CONTRAST, WIDTHS

PAGES = {"plain": cases.insights, "hostile": cases.hostile, "empty": cases.empty, "one day": cases.one_day}


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Callable[..., Page]:
    """Give a function that opens a page of PAGES."""

    def opening(name: str, width: int, scheme: str) -> Page:
        file = tmp_path / "insights.html"
        file.write_text(render_insights(PAGES[name]()))
        return chromium.open(file.as_uri(), width=width, scheme=scheme)

    return opening


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_given_insights_then_the_page_fits_is_silent_readable_and_asks_for_nothing(opened, name, width, scheme) -> None:
    page = opened(name, width, scheme)
    assert page.evaluate("document.body.innerText.length") > 150
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [address for address in page.requests if not address.startswith(("file:", "data:"))] == []
    assert page.messages == []
    assert page.evaluate(LOWEST_CONTRAST) >= 4.5
    assert page.evaluate("document.querySelectorAll('script, img, iframe, [onerror]').length") == 0


def test_given_ninety_days_then_each_has_a_cell_that_tells_of_it(opened) -> None:
    page = opened("plain", 1280, "light")
    assert page.evaluate("document.querySelectorAll('.calendar .day').length") == cases.DAYS + 1
    told = page.evaluate("[...document.querySelectorAll('.calendar .day title')].map(t => t.textContent).join('|')")
    assert "Monday, 2 November 2026: " in told
    assert page.evaluate("document.querySelectorAll('.trends .broke').length") == 2


@pytest.mark.parametrize("name", ["plain", "one day"])
def test_given_a_dag_then_its_newest_day_is_a_dot_that_is_seen(opened, name) -> None:
    page = opened(name, 1280, "light")
    seen = "[...t.querySelectorAll('circle')].filter(c => getComputedStyle(c).fill != 'rgba(0, 0, 0, 0)').length"
    assert set(page.evaluate(f"[...document.querySelectorAll('.trend')].map(t => {seen})")) == {1}
