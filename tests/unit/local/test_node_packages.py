import json
from pathlib import Path

import pytest

from local.node import packages


def test_given_the_lock_file_then_it_holds_checksums_and_no_address() -> None:
    text = packages.LOCK.read_text()
    locked = {name: about for name, about in json.loads(text)["packages"].items() if name}
    assert {name: about["integrity"][:7] for name, about in locked.items()} == {"node_modules/jsonata": "sha512-"}
    assert "//" not in text
    assert "resolved" not in text


def test_given_packages_of_this_lock_when_asked_for_then_npm_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(packages, "_call", lambda program, arguments, **how: asked.append(arguments[0]))
    for _ in range(2):
        assert packages.ensure_packages(tmp_path) == tmp_path
    assert asked == ["ci"]

    another = tmp_path / "another" / packages.LOCK.name
    another.parent.mkdir()
    another.write_text("{}")
    monkeypatch.setattr(packages, "LOCK", another)
    packages.ensure_packages(tmp_path)
    assert asked == ["ci", "ci"]
