"""What is relied on of AWS is marked where it is used, and can be found and read."""

import re
from pathlib import Path

import pytest

from local import evidence, paths

PATCHES = sorted((paths.ROOT / "local" / "aws" / "patches").glob("[a-z]*.py"))
PAGE = re.compile(r"https://(?:docs|repost)\.aws|https://docs\.aws\.amazon\.com|https://aws\.amazon\.com")
NOTHING = re.compile(r"^AWS nothing: \S", re.MULTILINE)
MARKS = list(evidence.marks())


def test_given_the_project_then_marks_of_every_kind_are_found_in_product_emulator_and_tests() -> None:
    assert {mark.kind for mark in MARKS} == {"documented", "seen", "assumed"}
    assert {"dags", "lambdas", "glue", "export_cli", "local", "tests"} <= {mark.where.split("/")[0] for mark in MARKS}
    assert any(mark.where.startswith("template.yaml:") for mark in MARKS)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_given_a_patch_of_the_emulator_then_it_says_how_it_is_known_that_aws_does_so(patch: Path) -> None:
    """A patch that is about nothing of AWS says that, and why."""
    text = patch.read_text()
    assert bool(list(evidence.read(text, patch.name))) != bool(NOTHING.search(text))


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.where)
def test_given_a_mark_then_it_says_what_and_where_it_is_known_from(mark: evidence.Mark) -> None:
    assert 15 <= len(mark.behaviour) <= 300
    assert mark.sources or mark.kind == "assumed"


def test_given_a_page_of_aws_s_documentation_in_the_code_then_it_is_the_source_of_a_mark() -> None:
    marked = {source for mark in MARKS for source in mark.sources}
    for name in evidence.EVERYWHERE:
        for path in evidence.files(name, paths.ROOT):
            for line in path.read_text().splitlines():
                if PAGE.search(line) and path != Path(__file__):
                    assert any(source in line for source in marked), f"{path}: {line.strip()}"


def test_given_what_the_product_assumes_then_the_readme_says_it() -> None:
    """`make evidence` writes it."""
    readme = (paths.ROOT / "README.md").read_text()
    assert evidence.BEGIN + evidence.assumed() + evidence.END in readme
    assert len(evidence.assumed().splitlines()) >= 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# AWS documented: it is so. https://a.example/b\nx = 1\n", ("it is so.", ("https://a.example/b",))),
        ('"""What.\n\nAWS seen: so\nand so. https://a.example\n\nMore."""\n', ("so and so.", ("https://a.example",))),
        ('    """AWS assumed: this."""\n    return 1\n', ("this.", ())),
        ("x = 1  # AWS assumed: that.\n# other\n", ("that.", ())),
        ("    # AWS assumed: one\n    # two.\n    #\n    # three\n", ("one two.", ())),
    ],
    ids=["comment", "docstring", "one line", "behind code", "paragraph"],
)
def test_given_a_mark_when_read_then_it_is_its_paragraph(text: str, expected: tuple[str, tuple[str, ...]]) -> None:
    [mark] = evidence.read(text, "a.py")
    assert (mark.behaviour, mark.sources) == expected


def test_given_a_mark_below_another_when_read_then_they_are_two() -> None:
    marks = evidence.read("# AWS assumed: one.\n# AWS documented: two. https://a.example\n", "a.py")
    assert [(mark.kind, mark.behaviour, mark.where) for mark in marks] == [
        ("assumed", "one.", "a.py:1"),
        ("documented", "two.", "a.py:2"),
    ]


@pytest.mark.parametrize(
    "text", ['words = "AWS assumed: no mark"\n', "`AWS assumed:` how a mark begins\n", "AWS is good\n"]
)
def test_given_other_text_when_read_then_it_is_no_mark(text: str) -> None:
    assert list(evidence.read(text, "a.py")) == []
