"""The recipes of docs/read.md, as they stand there."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "read.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def recipes(page: str = "") -> dict[str, tuple[str, str]]:
    """Return the fenced block of each section that has one.

    Returns:
        language and text, by the section's heading.

    Raises:
        ValueError: a section has two.
    """
    found = {}
    for heading, text in SECTION.findall(page or PAGE.read_text()):
        blocks = FENCED.findall(text)
        if len(blocks) > 1:
            raise ValueError(f"the section {heading} of {PAGE.name} has {len(blocks)} blocks, of which a test runs one")
        if blocks:
            found[heading] = blocks[0]
    return found


def functions(*headings: str) -> dict[str, Any]:
    """Run the Python blocks of these sections, one after the other, and return what they define."""
    namespace: dict[str, Any] = {}
    for heading in headings:
        language, code = recipes()[heading]
        assert language == "python", heading
        exec(compile(code, f"{PAGE} ({heading})", "exec"), namespace)  # noqa: S102 - the page's own
    return namespace
