"""Draws docs/report.png and docs/insights.png anew: `.venv/bin/python -m tests.integration.report.picture`."""

import sys
import tempfile
from pathlib import Path

from local import browser
from tests import insight_cases
from tests import report_cases as cases

ROOT = Path(__file__).parents[3]
HEIGHTS = {"report": 900, "insights": 1400}


def main() -> None:
    """Take the first screen of a report and of the page of insights, both of made-up figures."""
    sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]
    from aggregate_results.report.document import render_report

    from export_cli.insights.document import render_insights

    summary = cases.summary()
    pages = {
        "report": render_report(summary, cases.URI, cases.history(summary)),
        "insights": render_insights(insight_cases.insights()),
    }
    with tempfile.TemporaryDirectory() as folder, browser.running(browser.find()) as chromium:
        for name, page in pages.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(page)
            opened = chromium.open(file.as_uri(), width=960, height=HEIGHTS[name], scale=1.25)
            opened.screenshot(ROOT / "docs" / f"{name}.png", whole=False)


if __name__ == "__main__":
    main()
