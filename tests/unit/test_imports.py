"""Who may import whom is in pyproject.toml and held by `make lint`; here is what import-linter cannot be asked."""

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FUNCTIONS = {handler.parent.name for handler in (ROOT / "lambdas").glob("*/handler.py")}
LAYER = {init.parent.name for init in (ROOT / "lambdas" / "shared").glob("*/__init__.py")}
OTHERS = {"dags", "metadata_export", "metadata_proof", "metadata_restore", "export_cli", "local", "tests"}
# What MWAA's and Glue's own Python brings, or is packaged for it, beyond the standard library.
BROUGHT = {
    "dags": {"airflow", "boto3", "botocore"},
    "glue/metadata_export": {"botocore", "isal", "psycopg", "pyarrow", "pyspark", "py4j", "xxhash"},
    "glue/metadata_proof": {"botocore", "metadata_export", "metadata_restore", "psycopg"},
    "glue/metadata_restore": {"botocore", "cryptography", "isal", "psycopg", "urllib3"},
}


def imported(folder: str) -> Iterator[str]:
    """Yield what the modules of a folder import, but its own package and stubs, which only mypy sees."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            yield from (name.partition(".")[0] for name in names if not name.startswith("mypy_boto3_"))


def test_given_the_packages_of_this_project_then_the_rules_are_about_all_of_them():
    assert len(FUNCTIONS) >= 5
    assert set(RULES["root_packages"]) == FUNCTIONS | LAYER | OTHERS


@pytest.mark.parametrize("rule", RULES["contracts"], ids=lambda rule: rule["name"])
def test_given_a_rule_about_the_functions_then_it_names_each(rule):
    named = {function for function in FUNCTIONS if function in json.dumps(rule)}
    assert named in (set(), FUNCTIONS)


@pytest.mark.parametrize("folder", BROUGHT)
def test_given_code_that_runs_in_another_python_then_it_imports_only_what_is_there(folder):
    found = set(imported(folder))
    assert found - sys.stdlib_module_names - {Path(folder).name} == BROUGHT[folder]
