"""A sparkline: one figure of the last exports as inline SVG, with a title that a screen reader reads."""

from collections.abc import Callable
from datetime import datetime

from aggregate_results.report.history import PastExport
from aggregate_results.report.markup import Html, element, join

_WIDTH, _HEIGHT, _MARGIN = 280, 56, 5


def sparkline(
    name: str,
    exports: tuple[PastExport, ...],
    value: Callable[[PastExport], float],
    shown: Callable[[PastExport], str],
) -> Html:
    """Return the SVG.

    The scale begins at zero, so that a fall looks as large as it is. Every export has a tooltip; incomplete ones are
    marked.

    Args:
        name: of the figure, as it stands in a sentence: "Rows".
        exports: oldest first, at least one.
        value: what is drawn of an export.
        shown: the same for people.
    """
    points = _points([value(export) for export in exports])
    line = " ".join(f"{x:g},{y:g}" for x, y in points)
    floor = f"{points[-1][0]:g},{_HEIGHT} {points[0][0]:g},{_HEIGHT}"
    return element(
        "svg",
        element("title", _title(name, exports, value, shown)),
        element("polygon", points=f"{line} {floor}", class_="area"),
        element("polyline", points=line, class_="line"),
        *(
            _dot(*point, export, shown, last=export is exports[-1])
            for point, export in zip(points, exports, strict=True)
        ),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        class_="spark",
    )


def _points(values: list[float]) -> list[tuple[float, float]]:
    largest = max(values) or 1
    usable = _WIDTH - 2 * _MARGIN
    # Divided before anything is multiplied: whole numbers have no upper limit, floats do.
    heights = [_HEIGHT - _MARGIN - round(value / largest * (_HEIGHT - 2 * _MARGIN), 1) for value in values]
    if len(values) == 1:
        return [(_WIDTH - _MARGIN, heights[0])]
    return [(round(_MARGIN + usable * place / (len(values) - 1), 1), height) for place, height in enumerate(heights)]


def _dot(x: float, y: float, export: PastExport, shown: Callable[[PastExport], str], *, last: bool) -> Html:
    verdict = "" if export.complete else " - INCOMPLETE"
    kinds = ["dot", *(["last"] if last else []), *([] if export.complete else ["bad"])]
    title = element("title", f"{_day(export.started)}: {shown(export)}{verdict}")
    return element("circle", title, cx=f"{x:g}", cy=f"{y:g}", r="4", class_=" ".join(kinds))


def _title(
    name: str,
    exports: tuple[PastExport, ...],
    value: Callable[[PastExport], float],
    shown: Callable[[PastExport], str],
) -> str:
    newest = exports[-1]
    if len(exports) == 1:
        return f"{name}: {shown(newest)}. No earlier export to compare with."
    lowest, highest = min(exports, key=value), max(exports, key=value)
    incomplete = sum(not export.complete for export in exports)
    return (
        f"{name} of the last {len(exports)} exports: now {shown(newest)}; lowest {shown(lowest)} on "
        f"{_day(lowest.started)}, highest {shown(highest)} on {_day(highest.started)}"
        + (f"; {incomplete} incomplete" if incomplete else "")
    )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def caption(exports: tuple[PastExport, ...], value: Callable[[PastExport], float]) -> Html:
    """Return how the newest export compares with the one before, for people."""
    if len(exports) < 2:
        return Html()
    before, now = value(exports[-2]), value(exports[-1])
    if before == now:
        return join("as the export before")
    if not before:
        return join("more than the export before")
    if now >= 11 * before:
        return join("over ten times the export before")
    change = now / before - 1
    sign = "+" if change > 0 else "\N{MINUS SIGN}"
    percent = abs(change) * 100
    return join(f"{sign}{percent:.0f} %" if percent >= 1 else f"{sign}{percent:.1f} %", " since the export before")
