"""What the demo asks of the export that it has just made: one question in SQL, and the page of insights."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from local import browser, processes
from local.console import Progress
from local.paths import ROOT
from local.stack import ENVIRONMENT, Stack

QUESTION = "SELECT dag_id, state, count(*) AS runs FROM dag_run GROUP BY ALL ORDER BY ALL"


def ask(stack: Stack, progress: Progress) -> dict[str, Any]:
    """Ask both with the command line, as a person would against AWS.

    Returns:
        The question and its rows, the page's path, and that of its picture: None where no browser is at hand.
    """
    page = stack.paths.root / "insights.html"
    cache = ("--cache", str(stack.paths.root / "cache"))
    with progress.step("The export is asked in SQL"):
        rows = json.loads(command(stack, "query", QUESTION, "--json", *cache))
        command(stack, "insights", "--to", str(page), "--days", "7", *cache)
    return {"sql": QUESTION, "rows": rows, "insights": _shown(page), "picture": _picture(page)}


def show(asked: dict[str, Any], progress: Progress) -> None:
    """Print the answer and where the page is."""
    columns = ["dag_id", "state", "runs "]
    progress.table("The export, asked in SQL", columns, ([*row.values()] for row in asked["rows"]))
    progress.note(f'mwaa-metadata-export query "{asked["sql"]}"')


def command(stack: Stack, *arguments: str, **variables: str) -> str:
    """Run the command line against the stack and return what it prints.

    Args:
        arguments: the command and what follows it.
        variables: of its environment, beside the account's.

    Raises:
        CommandError: it failed; with what it says.
    """
    words = [sys.executable, "-m", "export_cli", *arguments, "--environment", ENVIRONMENT]
    names = ("PATH", "HOME", "LANG")
    env = {name: os.environ[name] for name in names if name in os.environ} | stack.aws.env | variables
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise processes.CommandError(f"{arguments[0]} ended with {done.returncode}: {told}")
    return done.stdout


def _picture(page: Path) -> str | None:
    """Draw the page; a browser is not fetched for it."""
    if not browser.at_hand():
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
