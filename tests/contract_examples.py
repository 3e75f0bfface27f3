"""The hostile examples of docs/contracts/examples: whoever reads or writes a document is tested with the same ones.

A file holds `valid` examples with how they read, and `invalid` ones with what an error has to name. An example has a
`document`, or a `text` that is no document, or differs from the file's `base`: `with` these fields, `without` those.
What a schema cannot say of an invalid one is `beyond_schema`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "contracts" / "examples"


@dataclass(frozen=True)
class Example:
    """A document, and what its readers have to make of it."""

    name: str
    document: Any
    text: str
    """the document as JSON, or what is no JSON"""
    reading: Any
    names: tuple[str, ...]
    """what an error has to name"""
    beyond_schema: bool

    def __str__(self) -> str:
        return self.name


@cache
def examples(contract: str, section: str) -> tuple[Example, ...]:
    """The examples of a contract, by its file's name without ending, that are `valid` or `invalid`."""
    content = json.loads((FOLDER / f"{contract}.json").read_text())
    found = tuple(_example(name, body, content.get("base", {})) for name, body in content[section].items())
    assert len(found) > 1
    return found


def base(contract: str) -> dict[str, Any]:
    """The plainest document of a contract whose examples are given by what differs."""
    return dict(json.loads((FOLDER / f"{contract}.json").read_text())["base"]["document"])


def layouts() -> list[dict[str, Any]]:
    """Exports, and the keys of their objects."""
    return list(json.loads((FOLDER / "s3_layout.json").read_text()).values())


def _example(name: str, body: Mapping[str, Any], standard: Mapping[str, Any]) -> Example:
    document, reading = body.get("document"), body.get("reading")
    if standard and not {"document", "text"} & body.keys():
        kept = {key: value for key, value in standard["document"].items() if key not in body.get("without", ())}
        document = kept | body.get("with", {})
        reading = None if reading is None else standard["reading"] | reading
    text = body.get("text", json.dumps(document))
    return Example(name, document, text, reading, tuple(body.get("names", ())), "beyond_schema" in body)
