"""HTML in which nothing is unescaped by accident: text is escaped unless ``element`` made it."""

from html import escape

from export_runtime.text import one_line

_VOID = ("meta", "link", "br", "wbr")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | None) -> Html:
    """Return an element.

    Args:
        name: of the element.
        children: ``Html`` as it is, any other text escaped.
        attributes: values are escaped; None leaves the attribute out. ``class_`` is ``class``, ``_`` is ``-``.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Return children one after the other, escaped where they are not ``Html``."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def foreign(text: object, limit: int = 120) -> str:
    """Return text that others wrote as one line without control characters; ``element`` escapes it."""
    return one_line(str(text), limit)


def name(text: object) -> Html:
    """Return a table's or group's name, which may break after an underscore."""
    first, *parts = foreign(text, 80).split("_")
    return join(first, *(join("_", element("wbr"), part) for part in parts))


def link(text: str, address: object) -> Html:
    """Return a link that opens elsewhere, or the text alone when the address is not https."""
    if isinstance(address, str) and address.startswith("https://"):
        return element("a", text, href=address, rel="noreferrer", target="_blank")
    return join(text)
