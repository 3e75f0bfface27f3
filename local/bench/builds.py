"""Builds of this project's engine: that of this tree, and that of an older commit to measure it against."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws.settings import REGION
from local.bench.errors import BenchError

ROOT = Path(__file__).resolve().parents[2]
EXPORT_STARTED = "2026-12-11T14:30:22Z"
EXPORT_ID = "20261211T143022Z"
BUCKET = "bench-exports"
# Defaults of the job in the template, whose region is the emulator's.
JOB_SETTINGS = {
    "AWS_REGION": REGION,
    "MAX_CONNECTIONS": "4",
    "SNAPSHOT_HOLD_SECONDS": "900",
    "STATEMENT_TIMEOUT_SECONDS": "3600",
}
# Of Plan Export: the template's defaults.
PLAN_SETTINGS = {
    "ENVIRONMENT_NAME": "bench",
    "EXPORT_BUCKET": BUCKET,
    "BASE_PREFIX": "exports",
    "MAX_AGE_IN_DAYS": "30",
    "INCLUDE_TABLES": "",
    "EXCLUDE_TABLES": "",
    "MASK_COLUMNS": "",
    "FORMATS": "csv",
    "FRESH_HOURS": "20",
}
# Without the finder of this environment's own packages, which would complete an older tree; `plan` is an older name.
PLAN = """
import importlib, importlib.util, json, os, sys
sys.meta_path = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "_EditableFinder"]
from plan_export.settings import read_settings
name = next(name for name in ("planning", "plan") if importlib.util.find_spec(f"plan_export.{name}"))
planning = importlib.import_module(f"plan_export.{name}")
export, groups = planning.draft_plan(planning.parse_request(json.load(sys.stdin)), read_settings(os.environ))
print(json.dumps({"export": export.to_json(), "groups": [group.to_json() for group in groups]}))
"""


@dataclass(frozen=True)
class Build:
    """A tree of sources.

    Args:
        tree: its folder.
        key: short name, for files and JSON.
        label: for people.
    """

    tree: Path
    key: str
    label: str

    @property
    def python_path(self) -> str:
        """PYTHONPATH of its engine, and of the functions that plan for it."""
        folders = (self.tree, self.tree / "glue", self.tree / "lambdas", self.tree / "lambdas" / "shared")
        return os.pathsep.join(map(str, folders))

    @property
    def script(self) -> Path:
        """The script of the Glue job."""
        return self.tree / "glue" / "mwaa_metadb_export.py"


THIS = Build(ROOT, "engine", "this engine")


def of_commit(commit: str, folder: Path) -> Build:
    """Return the build of a commit of this repository, as a worktree below `folder` that is kept.

    Raises:
        BenchError: there is no such commit here.
    """
    try:
        name = _git("rev-parse", "--verify", "--short=7", f"{commit}^{{commit}}")
    except BenchError as error:
        raise BenchError(f"--against {commit}: no such commit here; fetch it first ({error})") from error
    tree = folder / name
    if not (tree / "glue").is_dir():
        _git("worktree", "prune")  # of a folder that was deleted
        _git("worktree", "add", "--force", "--detach", str(tree), name)
    return Build(tree, f"engine-{name}", f"build {name}")


def plan(build: Build) -> dict[str, Any]:
    """Return the plan that a build's Plan Export makes of an export with no input (docs/contracts/plan.schema.json).

    Raises:
        BenchError: it cannot.
    """
    event = {"input": {}, "execution": {"id": "", "start_time": EXPORT_STARTED}}
    env = PLAN_SETTINGS | {"PYTHONPATH": build.python_path}
    done = subprocess.run(
        [sys.executable, "-c", PLAN], input=json.dumps(event), env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{build.label} cannot plan an export: {done.stderr.strip()[-500:]}")
    planned: dict[str, Any] = json.loads(done.stdout)
    return planned


def job_arguments(
    export: dict[str, Any], group: dict[str, Any], groups: list[str], *, database: str, cutoff: str | None
) -> list[str]:
    """Return the command line of a group's Glue run, as the state machine starts it; a build ignores what it lacks."""
    arguments = {
        "S3_OUTPUT_PATH": export["output_path"],
        "DATABASE_NAME": database,
        "EXPORT_TABLES": json.dumps(group["tables"]),
        "GLUE_CONNECTION_NAME": database,
        "MAX_AGE_IN_DAYS": json.dumps(export["max_age_in_days"]),
        "CUTOFF": cutoff or "null",
        "EXPORT_ID": export["export_id"],
        "EXPORT_GROUP": group["group"],
        "EXPORT_GROUPS": json.dumps(groups),
        "MANIFEST_KEY": group["manifest_key"],
        "CATALOGUED_TABLES": json.dumps(group["catalogued_tables"]),
        "INCLUDE_TABLES": json.dumps(export["include_tables"]),
        "EXCLUDE_TABLES": json.dumps(export["exclude_tables"]),
        "WINDOWS": json.dumps(export.get("windows", {})),
        "MASK_COLUMNS": json.dumps(export.get("mask_columns", [])),
        "FORMATS": json.dumps(export.get("formats", ["csv"])),
        "EXECUTION_ARN": "",
        **JOB_SETTINGS,
    }
    return [word for name, value in arguments.items() for word in (f"--{name}", value)]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
