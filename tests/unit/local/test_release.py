"""The version is one, and has a section in the changelog; without one nothing is released."""

import re
import subprocess
from pathlib import Path

import pytest
from export_runtime.aws import CLIENT_CONFIG
from export_runtime.version import USER_AGENT, VERSION
from metadata_export import version as glue_version
from metadata_export.aws import CONFIG

from export_cli.__main__ import main
from export_cli.aws import Aws
from local import release
from local.paths import ROOT


def test_given_the_changelog_then_this_version_and_no_other_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    changes = release._changes(changelog)
    assert changes.startswith(f"## [{VERSION}]")
    assert len(re.findall(r"^## ", changes, re.MULTILINE)) == 1

    monkeypatch.setattr(release, "VERSION", "9.9.9")
    with pytest.raises(release.ReleaseError, match=r"no section \[9\.9\.9\]"):
        release._changes(changelog)


def test_given_command_and_functions_then_they_say_their_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mwaa-metadata-export {VERSION}\n"
    command = Aws(None, "eu-central-1").client("s3").meta.config
    assert {CLIENT_CONFIG.user_agent_extra, command.user_agent_extra} == {USER_AGENT}  # type: ignore[attr-defined]
    assert USER_AGENT.endswith(f"/{VERSION}")


def test_given_job_and_dag_then_they_say_the_same_version() -> None:
    assert (glue_version.VERSION, CONFIG.user_agent_extra) == (VERSION, USER_AGENT)  # type: ignore[attr-defined]
    dag = (ROOT / release.DAG).read_text()
    assert re.findall(r'^USER_AGENT = "(.*)"', dag, re.MULTILINE) == [USER_AGENT]
    assert "user_agent_extra=USER_AGENT" in dag


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a file of each kind, all committed."""
    for name in ("export_cli/a.py", "lambdas/b.py", "docs/c.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x")
    who = ("-c", "user.name=x", "-c", "user.email=x")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_given_files_that_are_not_committed_then_nothing_is_released_and_they_are_named(checkout: Path) -> None:
    (checkout / "docs" / "new.md").write_text("x")  # is in no release
    release.check_committed(checkout)

    (checkout / "export_cli" / "new one.py").write_text("x")
    (checkout / "lambdas" / "b.py").write_text("y")
    with pytest.raises(
        release.ReleaseError, match=r"would be in the release: export_cli/new one\.py, lambdas/b\.py\. "
    ):
        release.check_committed(checkout)


def test_given_no_repository_then_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(release.ReleaseError, match="is no checkout"):
        release.check_committed(tmp_path)
