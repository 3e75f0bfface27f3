import json
import shutil
from pathlib import Path

import pytest

from local.node import packages
from local.paths import ROOT

SOURCES = [packages.HERE, ROOT / "docs" / "examples" / "cdk"]


def test_given_any_lock_file_of_the_repository_then_it_holds_no_address() -> None:
    # What the commands make is in folders whose names begin with a dot.
    locks = {
        file for name in ("*.lock", packages.LOCK) for where in ("", "[!.]*/**/") for file in ROOT.glob(where + name)
    }
    assert len(locks) >= 4
    assert [file for file in locks if "://" in file.read_text()] == []


@pytest.mark.parametrize("source", SOURCES)
def test_given_a_lock_of_npm_then_it_holds_every_checksum(source: Path) -> None:
    locked = {
        name: about for name, about in json.loads((source / packages.LOCK).read_text())["packages"].items() if name
    }
    outer = {name: about for name, about in locked.items() if not about.get("inBundle")}
    assert {about["integrity"][:7] for about in outer.values()} == {"sha512-"}


def test_given_a_package_whose_author_asks_for_money_when_locked_then_the_lock_has_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = {"version": "1.0.0", "integrity": "sha512-x"}
    asking = {"packages": {"node_modules/a": package | {"funding": {"url": "https://example.com"}}}}
    monkeypatch.setattr(
        packages, "_call", lambda program, arguments, cwd: (cwd / packages.LOCK).write_text(json.dumps(asking))
    )
    packages.renew_lock(tmp_path)
    assert json.loads((tmp_path / packages.LOCK).read_text()) == {"packages": {"node_modules/a": package}}


def test_given_packages_of_this_lock_when_asked_for_then_npm_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(packages, "_call", lambda program, arguments, **how: asked.append(arguments[0]))
    for _ in range(2):
        assert packages.ensure_packages(tmp_path) == tmp_path
    assert asked == ["ci"]

    another = tmp_path / "another"
    shutil.copytree(packages.HERE, another)
    (another / packages.LOCK).write_text("{}")
    packages.ensure_packages(tmp_path, another)
    assert asked == ["ci", "ci"]
