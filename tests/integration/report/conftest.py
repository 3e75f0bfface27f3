"""One browser for all tests of this folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import browser

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "lambdas"), str(ROOT / "lambdas" / "shared")]


@pytest.fixture(scope="session")
def chromium() -> Iterator[browser.Browser]:
    """Give a running Chromium; where none can be had the tests are skipped, loudly, and fail in CI."""
    try:
        installed = browser.find()
    except browser.BrowserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"THE REPORT WAS NOT TRIED IN A BROWSER: {error}")
    with browser.running(installed) as running:
        yield running
