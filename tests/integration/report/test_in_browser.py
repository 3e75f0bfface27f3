"""The report in a real browser: on a phone and on a desk, light and dark."""

from collections.abc import Callable
from pathlib import Path

import pytest
from export_contracts.summary import Summary

from local import browser
from local.browser import Browser, Page
from tests import report_cases as cases

REPORTS: dict[str, Callable[[], tuple[Summary, int]]] = {
    "complete": lambda: (cases.summary(), 30),
    "incomplete": lambda: (cases.incomplete(), 30),
    "hostile": lambda: (cases.hostile(400), 30),
    "the first": lambda: (cases.summary(), 1),
    "empty": lambda: (cases.summary(details={}), 0),
}
WIDTHS = {"small phone": 320, "phone": 390, "tablet": 768, "desk": 1280}


@pytest.fixture
def open_report(chromium: Browser, tmp_path: Path) -> Callable[..., Page]:
    """Give a function that opens a report of REPORTS."""
    from aggregate_results.report.document import render_report

    def opened(report: str, width: int, scheme: str = "light") -> Page:
        summary, length = REPORTS[report]()
        file = tmp_path / "report.html"
        file.write_text(render_report(summary, cases.URI, cases.history(summary, length)))
        return chromium.open(file.as_uri(), width=width, scheme=scheme)

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("report", REPORTS)
def test_given_a_report_then_it_fits_and_is_silent_and_asks_for_nothing(open_report, report, width, scheme):
    page = open_report(report, width, scheme)
    assert page.evaluate("document.body.innerText.length") > 500
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [address for address in page.requests if not address.startswith(("file:", "data:"))] == []
    assert len([address for address in page.requests if address.startswith("file:")]) == 1
    assert page.messages == []


def test_given_no_browser_and_no_debian_then_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "LOCAL", tmp_path)
    with pytest.raises(browser.BrowserError, match="on the PATH, and Debian's cannot be had: apt-get is not on this"):
        browser.find()


def test_given_a_page_that_misbehaves_then_the_browser_tells(chromium, tmp_path):
    file = tmp_path / "bad.html"
    file.write_text(
        "<img src='http://127.0.0.1:9/x.png'><script>console.error('seen'); oops()</script><p style='width:2000px'>"
    )
    page = chromium.open(file.as_uri(), width=390)
    assert page.evaluate("document.documentElement.scrollWidth") > 390
    assert "http://127.0.0.1:9/x.png" in page.requests
    assert "seen" in "".join(page.messages)
    assert "oops is not defined" in "".join(page.messages)


@pytest.mark.parametrize("report", ["hostile"])
def test_given_hostile_texts_then_no_script_runs_and_no_element_is_forged(open_report, report):
    page = open_report(report, 390)
    assert page.evaluate("document.querySelectorAll('script, img, iframe, [onerror]').length") == 0
    assert page.evaluate("[...document.links].every(a => a.protocol === 'https:')") is True


def test_given_a_script_in_the_page_all_the_same_then_the_policy_stops_it(chromium, tmp_path):
    from aggregate_results.report.document import render_report

    file = tmp_path / "forged.html"
    forged = "<script>document.title = 'forged'</script><img src='http://127.0.0.1:9/x.png'></body>"
    file.write_text(render_report(cases.summary(), cases.URI, ()).replace("</body>", forged))
    page = chromium.open(file.as_uri(), width=390)
    assert page.evaluate("document.title").startswith("COMPLETE")
    assert "Content Security Policy" in "".join(page.messages)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
@pytest.mark.parametrize("report", ["complete", "incomplete"])
def test_given_a_scheme_then_text_has_contrast_everywhere(open_report, report, scheme, dark):
    page = open_report(report, 1280, scheme)
    red = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])")
    assert (red < 64) == dark
    # WCAG 2.2, success criterion 1.4.3: 4.5 to 1 for text.
    assert page.evaluate(LOWEST_CONTRAST) >= 4.5


def test_given_a_wide_window_then_the_figures_stand_side_by_side_and_on_a_phone_below_each_other(open_report):
    tops = "new Set([...document.querySelectorAll('.tile')].map(tile => tile.getBoundingClientRect().top)).size"
    assert open_report("complete", 1280).evaluate(tops) == 1
    assert open_report("complete", 390).evaluate(tops) == 3


def test_given_the_skipped_tables_then_they_open_without_script(open_report):
    page = open_report("complete", 390)
    closed = page.evaluate("document.body.innerText.includes('not in this Airflow version')")
    page.evaluate("document.querySelector('details.notice').open = true")
    assert (closed, page.evaluate("document.body.innerText.includes('not in this Airflow version')")) == (False, True)


LOWEST_CONTRAST = """(() => {
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('body *')].filter(element => !element.closest('svg') &&
    [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  return Math.min(...texts.map(element => {
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()"""
