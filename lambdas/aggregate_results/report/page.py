"""One HTML document without script and without anything from outside: what every page of this project stands in."""

import base64
from functools import cache
from importlib.resources import files

from aggregate_results.report.markup import Html, element

# A browser enforces that there is neither script nor anything from outside, whatever a table is called.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(title: str, colour: str, body: Html, *styles: str) -> str:
    """Return the document.

    Args:
        title: of the window.
        colour: of the icon, as CSS has it.
        body: its element.
        styles: packages with a style.css of their own, beside this one's.
    """
    style = "".join(map(_style, (__package__, *styles)))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),  # the address may be a presigned one
        element("title", title),
        element("link", rel="icon", href=_icon(colour)),
        element("style", Html(style)),
    )
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _icon(colour: str) -> str:
    circle = f'<circle cx="8" cy="8" r="7" fill="{colour}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{circle}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


@cache
def _style(package: str) -> str:
    lines = files(package).joinpath("style.css").read_text().splitlines()
    return "".join(line.strip() for line in lines if not line.startswith("/*"))
