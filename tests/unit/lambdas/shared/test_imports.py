"""Imports point one way: a function uses the layer, never another function; logic never uses a handler."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4] / "lambdas"
FUNCTIONS = ("plan_export", "prepare_connection", "aggregate_results", "report_failure", "publish_assets")
OTHERS = {"glue", "metadata_export", "local", "tests", "dags"}


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


def packages(folder: str) -> set[str]:
    """Return the top-level packages that a folder's modules import."""
    files = list((ROOT / folder).rglob("*.py"))
    assert len(files) >= 5
    return {name.split(".")[0] for path in files for name in imports(path)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_given_a_function_then_it_imports_no_other_function_and_nothing_from_outside(function):
    assert packages(function) & ({*FUNCTIONS, *OTHERS} - {function}) == set()


def test_given_the_layer_then_it_imports_no_function():
    assert packages("shared") & {*FUNCTIONS, *OTHERS} == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_given_logic_then_it_imports_no_handler_and_makes_no_client(function):
    for path in (ROOT / function).glob("*.py"):
        if path.name != "handler.py":
            assert imports(path) & {f"{function}.handler", "boto3", "export_runtime.clients"} == set(), path


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_given_a_module_then_it_is_short(path):
    assert len(path.read_text().splitlines()) <= 250
