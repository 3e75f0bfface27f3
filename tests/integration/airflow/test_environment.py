"""Installing an Airflow: once, whole, and again when it was left half-made."""

from pathlib import Path

import pytest

from local.airflow import environment, versions
from local.airflow.errors import LocalAirflowError


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for uv: makes the interpreter's folder, and notes what it was called with."""
    calls: list[list[str]] = []

    def install(arguments: list[str], _: environment.Progress) -> None:
        calls.append(arguments)
        if arguments[0] == "venv":
            (Path(arguments[-1]) / "bin").mkdir(parents=True)

    monkeypatch.setattr(environment, "_uv", install)
    return calls


def say_nothing(_: str) -> None:
    pass


def test_given_nothing_then_the_version_is_installed_as_of_its_release(
    installer: list[list[str]], tmp_path: Path
) -> None:
    made = environment.ensure("2.10.3", progress=say_nothing, root=tmp_path)
    assert made.folder == tmp_path / "2.10.3"
    venv, install = installer
    assert venv[:1] == ["venv"]
    assert versions.PYTHON in venv
    assert install[install.index("--exclude-newer") + 1] == "2024-11-07"
    assert "apache-airflow==2.10.3" in install


def test_given_an_installed_version_then_nothing_is_done_and_nothing_said(
    installer: list[list[str]], tmp_path: Path
) -> None:
    environment.ensure("3.3.1", progress=say_nothing, root=tmp_path)
    installer.clear()
    said: list[str] = []
    environment.ensure("3.3.1", progress=said.append, root=tmp_path)
    assert installer == []
    assert said == []


def test_given_an_installation_that_was_interrupted_then_it_is_made_again_from_nothing(
    installer: list[list[str]], tmp_path: Path
) -> None:
    left = tmp_path / "3.3.1" / "bin" / "half-made"
    left.parent.mkdir(parents=True)
    left.touch()
    environment.ensure("3.3.1", progress=say_nothing, root=tmp_path)
    assert len(installer) == 2
    assert not left.exists()


def test_given_other_requirements_than_those_it_was_made_with_then_it_is_made_again(
    installer: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.ensure("3.3.1", progress=say_nothing, root=tmp_path)
    monkeypatch.setitem(versions.VERSIONS, "3.3.1", versions.AirflowVersion("3.3.1", "2026-09-01"))
    environment.ensure("3.3.1", progress=say_nothing, root=tmp_path)
    assert len(installer) == 4


def test_given_an_installer_that_fails_then_the_error_holds_its_last_words_and_nothing_counts_as_installed(
    tmp_path: Path,
) -> None:
    with pytest.raises(LocalAirflowError, match="uv frobnicate failed"):
        environment._uv(["frobnicate"], say_nothing)


def test_given_an_unknown_version_then_the_known_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(LocalAirflowError, match=r"no Airflow 1\.10.*3\.3\.1"):
        environment.ensure("1.10", root=tmp_path)
