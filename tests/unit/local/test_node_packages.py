import json
import re
import shutil
from pathlib import Path

import pytest

from local.node import packages
from local.paths import ROOT


@pytest.mark.parametrize("source", [packages.HERE, ROOT / "docs" / "examples" / "cdk"])
def test_given_the_lock_file_then_it_holds_checksums_and_no_address(source: Path) -> None:
    text = (source / packages.LOCK).read_text()
    locked = {name: about for name, about in json.loads(text)["packages"].items() if name}
    outer = {name: about for name, about in locked.items() if not about.get("inBundle")}
    assert {about["integrity"][:7] for about in outer.values()} == {"sha512-"}
    assert set(re.findall(r"//[^/]+", text)) <= {"//github.com"}  # whom an author asks for money
    assert "resolved" not in text


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
