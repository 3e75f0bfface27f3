"""What importing costs, by package."""

from pathlib import Path

import pytest

from local.bench import fixed
from local.bench.builds import Build
from local.bench.errors import BenchError


def build(tree: Path) -> Build:
    return Build(tree, "engine-x", "build x")


def test_given_packages_when_imported_then_the_time_of_each_with_its_modules_and_not_of_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "glue" / "slow_one"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import time; time.sleep(0.05)\nimport slow_two, slow_one.part")
    (package / "part.py").write_text("import time; time.sleep(0.05)")
    (tmp_path / "glue" / "slow_two.py").write_text("import time; time.sleep(1)")
    monkeypatch.setattr(fixed, "IMPORTS", {"driver": "import slow_one"})

    found = {line["package"]: line["ms"] for line in fixed.imports(build(tmp_path))}

    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert 100 <= found["slow_one"] < 1000 <= found["slow_two"]


def test_given_build_that_cannot_be_imported_when_measured_then_the_error_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed, "IMPORTS", {"driver": "import no_such_module"})

    with pytest.raises(BenchError, match=r"(?s)build x cannot be imported: .*no_such_module"):
        fixed.imports(build(tmp_path))
