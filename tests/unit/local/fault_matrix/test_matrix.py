"""The matrix cannot pass on nothing, and shows what was bad."""

import json
from pathlib import Path

import pytest

from local.fault_matrix.matrix import Matrix

OPTIONS = ("-p", "no:cacheprovider", "-c", "/dev/null", "--import-mode=importlib", "-q")
SCENARIOS = """
import pytest
from local.fault_matrix import matrix

@pytest.fixture(autouse=True)
def row(request):
    yield
    found = matrix.row("S3", request.function.__doc__, None)
    request.node.user_properties.append((matrix.PROPERTY, found))
"""


def run(folder: Path, tests: str) -> tuple[int, dict[str, object]]:
    """Run tests under the plugin and return the exit code and what was written."""
    (folder / f"test_of_{folder.name}.py").write_text(SCENARIOS + tests)
    code = pytest.main([str(folder), *OPTIONS], plugins=[Matrix(folder / "result.json")])
    return int(code), json.loads((folder / "result.json").read_text())


def test_given_good_bad_and_known_scenarios_then_each_is_called_so(tmp_path: Path) -> None:
    tests = (
        "def test_one(): 'fine'\n"
        "def test_two():\n    'broken'\n    assert 'it' == 'not it'\n"
        "@pytest.mark.xfail(strict=True, reason='not done yet')\ndef test_three():\n    'known'\n    assert False\n"
    )
    code, result = run(tmp_path, tests)

    assert code == pytest.ExitCode.TESTS_FAILED
    assert result["verdicts"] == {"good": 1, "BAD": 1, "known defect": 1}
    found = {each["fault"]: (each["verdict"], each["reason"]) for each in result["scenarios"]}  # type: ignore[attr-defined]
    assert found["fine"] == ("good", "")
    assert found["broken"][0] == "BAD"
    assert "not it" in found["broken"][1]
    assert found["known"] == ("known defect", "not done yet")


def test_given_no_scenario_then_it_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "")[0] == pytest.ExitCode.NO_TESTS_COLLECTED


def test_given_only_tests_without_a_row_then_it_fails(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass")
    code = pytest.main([str(tmp_path), *OPTIONS], plugins=[Matrix(tmp_path / "result.json")])
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
