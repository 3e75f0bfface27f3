"""Draws docs/report.png anew: `.venv/bin/python -m tests.integration.report.picture`."""

import sys
import tempfile
from pathlib import Path

from local import browser
from tests import report_cases as cases

ROOT = Path(__file__).parents[3]
PICTURE = ROOT / "docs" / "report.png"


def main() -> None:
    """Take the first screen of a report of made-up figures."""
    sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]
    from aggregate_results.report.document import render_report

    summary = cases.summary()
    with tempfile.TemporaryDirectory() as folder, browser.running(browser.find()) as chromium:
        file = Path(folder) / "report.html"
        file.write_text(render_report(summary, cases.URI, cases.history(summary)))
        chromium.open(file.as_uri(), width=960, height=900, scale=1.25).screenshot(PICTURE, whole=False)


if __name__ == "__main__":
    main()
