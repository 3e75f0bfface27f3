"""`make evidence`: what this project relies on of AWS, and how it is known.

It is marked where it is used, in a comment or docstring, by a paragraph of its own that begins with one of

    `AWS documented:` what AWS's documentation says, with the pages
    `AWS seen:` what somebody saw on AWS, or built who had to, with where they tell of it
    `AWS assumed:` what nobody says; the code should survive the opposite
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local import paths

PRODUCT = ("dags", "lambdas", "glue", "export_cli", "state_machine", "template.yaml")
EVERYWHERE = (*PRODUCT, "local", "tests")
SUFFIXES = (".py", ".yaml", ".toml")
BEGIN, END = "<!-- assumed: written by `make evidence` -->\n", "<!-- end -->\n"

_MARK = re.compile(r"^(?P<before>.*?)\bAWS (?P<kind>documented|seen|assumed): (?P<text>\S.*)$")
_FIRST = re.compile(r'\s*(?:#\s*|"""|[^"`]*\S  # )?$')  # what may be before a mark on its line
_ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Mark:
    """One behaviour of AWS that a place in the code relies on.

    Args:
        kind: documented, seen or assumed.
        behaviour: a sentence.
        sources: addresses of pages.
        where: path and line.
    """

    kind: str
    behaviour: str
    sources: tuple[str, ...]
    where: str


def marks(names: Iterable[str] = EVERYWHERE, root: Path = paths.ROOT) -> Iterator[Mark]:
    """Yield the marks in files, and in the files of folders, below the project's root."""
    for name in names:
        for path in files(name, root):
            yield from read(path.read_text(), str(path.relative_to(root)))


def files(name: str, root: Path) -> list[Path]:
    """Return a file, or the files of a folder, that may have marks."""
    found = sorted((root / name).rglob("*")) if (root / name).is_dir() else [root / name]
    return [path for path in found if path.suffix in SUFFIXES]


def read(text: str, path: str) -> Iterator[Mark]:
    """Yield the marks in the text of a file."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = _MARK.match(line)
        if found and _FIRST.match(found["before"]):
            rest = [] if found["text"].endswith('"""') else _rest(lines[number + 1 :], found["before"])
            words = " ".join([found["text"], *rest]).replace('"""', "")
            behaviour = " ".join(_ADDRESS.sub("", words).split())
            yield Mark(found["kind"], behaviour, tuple(_ADDRESS.findall(words)), f"{path}:{number + 1}")


def _rest(lines: list[str], before: str) -> Iterator[str]:
    """Yield how a mark goes on: up to the end of its paragraph."""
    if before.strip() not in ("", "#", '"""'):
        return  # behind code: one line
    for line in lines:
        if _MARK.match(line) or (before.strip() == "#" and not line.lstrip().startswith("#")):
            return
        words = line.strip().removeprefix("#").strip()
        if words.startswith('"""') or not words:
            return
        yield words
        if words.endswith('"""'):
            return


def assumed() -> str:
    """Return what the product assumes, as a list for the README."""
    items = [f"- {mark.behaviour} (`{mark.where.partition(':')[0]}`)" for mark in _of("assumed", PRODUCT)]
    return "".join(textwrap.fill(item, 120, subsequent_indent="  ", break_on_hyphens=False) + "\n" for item in items)


def _of(kind: str, names: Iterable[str]) -> list[Mark]:
    return [mark for mark in marks(names) if mark.kind == kind]


def main() -> None:
    """Print all marks, and write what the product assumes into the README."""
    for kind in ("documented", "seen", "assumed"):
        found = _of(kind, EVERYWHERE)
        print(f"\n{kind}: {len(found)}\n")
        for mark in found:
            print(f"{mark.where}\n    {mark.behaviour}", *mark.sources, sep="\n    ")
    readme = paths.ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(before + BEGIN + assumed() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
