"""A picture of what Airflow's own page shows of a DAG: its grid of runs and tasks."""

import json
import time
from pathlib import Path

from local import browser
from local.airflow.server import LocalAirflow
from local.browser import BrowserError, Page

SECONDS = 60


def picture(airflow: LocalAirflow, dag_id: str, file: Path) -> bool:
    """Log in, open the page of a DAG and write a picture of it; return False where no browser is at hand, or it fails.

    Args:
        airflow: ready.
        dag_id: of the DAG.
        file: where the PNG goes.
    """
    if not browser.at_hand():
        return False
    major = airflow.version.major
    try:
        with browser.running(browser.find()) as chromium:
            login = chromium.open(airflow.url + ("/login/" if major == 2 else "/auth/login/"), width=800)
            login.evaluate(
                f"document.querySelector('#username').value = {json.dumps(airflow.username)};"
                f"document.querySelector('#password').value = {json.dumps(airflow.password)};"
                "document.querySelector('#password').form.submit()"
            )
            _until(login, "!location.pathname.includes('login')")
            page = chromium.open(f"{airflow.url}/dags/{dag_id}{'/grid' if major == 2 else ''}", width=1300, height=700)
            _until(page, "document.body.innerText.includes('publish')")  # a task of the DAG
            page.screenshot(file, whole=False)
    except BrowserError:
        return False
    return True


def _until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression is true."""
    end = time.monotonic() + SECONDS
    while not page.evaluate(f"Boolean({condition})"):
        if time.monotonic() > end:
            raise BrowserError(f"The page does not come to {condition} within {SECONDS} s")
        time.sleep(0.2)
