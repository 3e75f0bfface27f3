"""Builds of the engine, and the arguments with which they are started."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

from local import paths
from local.bench import builds
from local.bench.builds import THIS
from local.bench.errors import BenchError


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, the first of which is tagged `old`."""
    folder = tmp_path / "repository"
    (folder / "glue").mkdir(parents=True)
    git(folder, "init")
    for name in ("old", "new"):
        (folder / "glue" / "mwaa_metadb_export.py").write_text(name)
        git(folder, "add", ".")
        git(folder, "commit", "--message", name)
        git(folder, "tag", name)
    monkeypatch.setattr(builds, "ROOT", folder)
    return folder


def test_given_commit_when_its_build_is_asked_for_again_then_the_same_worktree_that_changes_nothing_here(
    repository: Path, tmp_path: Path
) -> None:
    first, again = (builds.of_commit("old", tmp_path / "worktrees") for _ in range(2))

    assert first == again
    assert first.script.read_text() == "old"
    assert (repository / "glue" / "mwaa_metadb_export.py").read_text() == "new"
    assert re.fullmatch(r"engine-[0-9a-f]{7}", first.key)


def test_given_worktree_that_was_deleted_when_asked_for_then_made_again(repository: Path, tmp_path: Path) -> None:
    build = builds.of_commit("old", tmp_path / "worktrees")
    subprocess.run(["rm", "-r", build.tree], check=True)

    assert builds.of_commit("old", tmp_path / "worktrees").script.read_text() == "old"


@pytest.mark.parametrize("commit", ["no-such-commit", "--help", ""], ids=["unknown", "an option", "nothing"])
def test_given_no_such_commit_when_asked_for_then_the_error_says_what_to_do(
    repository: Path, tmp_path: Path, commit: str
) -> None:
    with pytest.raises(BenchError, match=f"--against {commit}: no such commit here; fetch it first"):
        builds.of_commit(commit, tmp_path)


def test_given_this_build_when_planned_then_its_own_groups_and_rules() -> None:
    planned = builds.plan(THIS)

    groups = {group["group"]: {table["table"] for table in group["tables"]} for group in planned["groups"]}
    assert {"dag_run"} <= groups["runs"]
    assert {"task_instance", "xcom"} <= groups["tasks"]
    assert planned["export"]["windows"]["log"] == "date"
    assert planned["export"]["export_id"] == builds.EXPORT_ID


def test_given_tree_without_functions_when_planned_then_the_error_holds_the_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"(?s)build x cannot plan an export: .*plan_export"):
        builds.plan(builds.Build(tmp_path, "engine-x", "build x"))


def test_given_job_arguments_when_compared_with_the_contract_then_all_that_it_requires_and_no_other() -> None:
    planned = builds.plan(THIS)
    tasks = next(group for group in planned["groups"] if group["group"] == "tasks")

    words = builds.job_arguments(
        planned["export"], tasks, ["runs", "tasks"], database="d", cutoff="2026-10-02T00:00:16Z"
    )

    schema = json.loads((paths.ROOT / "docs" / "contracts" / "job_arguments.schema.json").read_text())
    assert sorted(words[::2]) == sorted(schema["required"])
    jsonschema.validate(dict(zip(words[::2], words[1::2], strict=True)), schema)
