"""What a browser would make of a report: its texts, and whether every element is closed."""

from html.parser import HTMLParser

from aggregate_results.report.document import render_report
from export_contracts.summary import Summary

from tests.report_cases import URI

VOID = ("meta", "link", "br", "wbr")


class Page(HTMLParser):
    """A parsed report."""

    def __init__(self, text: str) -> None:
        """Parse it."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "elements left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes what is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All texts in one."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def page(summary: Summary, history: tuple = ()) -> Page:
    """Return the parsed report of a summary."""
    return Page(render_report(summary, URI, history))
