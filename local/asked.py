"""What the demo asks of the export that it has just made: one question in SQL, and the page of insights."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from local import browser, processes
from local.console import Progress
from local.paths import LOCAL, ROOT
from local.stack import ENVIRONMENT, Stack

QUESTION = "SELECT dag_id, state, count(*) AS runs FROM dag_run GROUP BY ALL ORDER BY ALL"


def ask(stack: Stack, progress: Progress) -> dict[str, Any]:
    """Ask both with the command line, as a person would against AWS.

    Returns:
        The question and its rows, the page's path, and that of its picture: None where no browser is at hand.
    """
    page = stack.paths.root / "insights.html"
    with progress.step("The export is asked in SQL"):
        rows = json.loads(_command(stack, "query", QUESTION, "--json"))
        _command(stack, "insights", "--to", str(page), "--days", "7")
    return {"sql": QUESTION, "rows": rows, "insights": _shown(page), "picture": _picture(page)}


def show(asked: dict[str, Any], progress: Progress) -> None:
    """Print the answer and where the page is."""
    columns = ["dag_id", "state", "runs "]
    progress.table("The export, asked in SQL", columns, ([*row.values()] for row in asked["rows"]))
    progress.note(f'mwaa-metadata-export query "{asked["sql"]}"')


def _command(stack: Stack, *arguments: str) -> str:
    cache = str(stack.paths.root / "cache")
    command = [sys.executable, "-m", "export_cli", *arguments, "--environment", ENVIRONMENT, "--cache", cache]
    names = ("PATH", "HOME", "LANG")
    env = {name: os.environ[name] for name in names if name in os.environ} | stack.aws.env
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise processes.CommandError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _picture(page: Path) -> str | None:
    """Draw the page; a browser is not fetched for it."""
    if not (LOCAL / "chromium").exists() and not os.environ.get("CHROMIUM"):
        return None
    picture = page.with_suffix(".png")
    try:
        with browser.running(browser.find()) as chromium:
            chromium.open(page.as_uri(), width=1100, scale=1.25).screenshot(picture)
    except browser.BrowserError:
        return None
    return _shown(picture)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
