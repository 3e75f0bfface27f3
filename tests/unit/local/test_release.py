"""The version is one, and has a section in the changelog; without one nothing is released."""

import re

import pytest
from export_runtime.aws import CLIENT_CONFIG
from export_runtime.version import USER_AGENT, VERSION

from export_cli.__main__ import main
from export_cli.aws import _config
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
    assert {CLIENT_CONFIG.user_agent_extra, _config().user_agent_extra} == {USER_AGENT}  # type: ignore[attr-defined]
    assert USER_AGENT.endswith(f"/{VERSION}")
