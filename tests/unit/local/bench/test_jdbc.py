"""The JDBC driver is fetched once, or its absence has a reason."""

import stat
from pathlib import Path

import pytest

from local.bench import jdbc
from local.bench.errors import DriverUnavailableError


def tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IEXEC)


def test_given_no_apt_when_asked_for_then_the_error_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DriverUnavailableError, match="apt-get is not on this machine"):
        jdbc.ensure(tmp_path / "jdbc")


def test_given_no_lists_of_packages_when_asked_for_then_own_ones_are_fetched_and_the_jar_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    outcomes = f"*Dir::State*download*) : > {jdbc.PACKAGE}_1_all.deb;; *update*) ;; *) exit 100;;"
    tool(tmp_path / "bin", "apt-get", f'echo "$*" >> {calls}; case "$*" in {outcomes} esac')
    tool(
        tmp_path / "bin",
        "dpkg-deb",
        'case "$1" in -x) mkdir -p $3/usr/share/java && echo jar > $3/usr/share/java/postgresql.jar;; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    first, again = jdbc.ensure(tmp_path / "jdbc"), jdbc.ensure(tmp_path / "jdbc")

    assert first == again
    assert first.read_text() == "jar\n"
    assert [line.split()[-1] for line in calls.read_text().splitlines()] == [jdbc.PACKAGE, "update", jdbc.PACKAGE]


def test_given_package_that_cannot_be_downloaded_when_asked_for_then_the_error_holds_apts_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    tool(tmp_path / "bin", "dpkg-deb", "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    with pytest.raises(DriverUnavailableError, match="Unable to locate package"):
        jdbc.ensure(tmp_path / "jdbc")
