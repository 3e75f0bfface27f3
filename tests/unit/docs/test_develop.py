"""The page that a newcomer reads first names files that are there, and every module of the engine has its tests."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "develop.md").read_text()
FOLDERS = ("dags", "docs", "export_cli", "glue", "lambdas", "local", "state_machine", "tests")
# What stands in code: a path below one of the folders. What is linked, test_docs.py looks at.
PATHS = sorted({path for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./]+)`", PAGE) if "<" not in path})
SECTION = PAGE.partition("| modules of `glue/metadata_export` | tested in |\n")[2].partition("\n\n")[0]
ROWS = [row for row in SECTION.splitlines() if row.startswith("| `")]
ELSEWHERE = {name for row in ROWS for name in re.findall(r"`(\w+)`", row.split("|")[1])}
MODULES = {
    path.stem
    for path in (ROOT / "glue" / "metadata_export").glob("[a-z]*")
    if path.suffix == ".py" or (path / "__init__.py").is_file()
}
UNIT = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "unit" / "glue").glob("test_*.py")}
RECIPES = re.findall(r"^\*\*(.+?)\.\*\*", PAGE, re.MULTILINE)
ROWS_OF_WALKS = [row for row in PAGE.splitlines() if row.startswith(("| a table's name", "| the "))]


@pytest.mark.parametrize("path", PATHS)
def test_given_a_path_in_the_page_then_it_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_given_a_module_of_the_engine_then_it_has_a_unit_file_or_the_page_says_where_it_is_tested() -> None:
    assert len(PATHS) > 5
    assert len(MODULES) > 30
    assert MODULES - UNIT == ELSEWHERE


@pytest.mark.parametrize("row", ROWS)
def test_given_modules_that_are_tested_elsewhere_then_the_row_links_the_tests(row: str) -> None:
    assert re.search(r"\(\.\./tests/[\w/]+/test_\w+\.py\)", row)


def test_given_the_page_then_it_has_a_recipe_for_each_kind_of_change() -> None:
    kinds = ("table", "Airflow version", "parameter", "command", "Lambda", "state", "fault")
    assert [kind for kind in kinds if not any(kind in recipe for recipe in RECIPES)] == []


@pytest.mark.parametrize("row", ROWS_OF_WALKS, ids=lambda row: row.split("|")[1].strip())
def test_given_the_walk_of_one_thing_then_at_most_six_files_are_opened(row: str) -> None:
    files = set(re.findall(r"\]\(([^)]+)\)", row))
    assert 2 <= len(files) <= 6


def test_given_the_walks_then_they_are_those_of_name_cutoff_secret_and_summary() -> None:
    assert [row.split("|")[1].strip() for row in ROWS_OF_WALKS] == [
        "a table's name",
        "the cutoff",
        "the secret",
        "the summary",
    ]
