"""Charts as inline SVG. Each has a title that a screen reader reads, and a tooltip for each of its marks."""

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from aggregate_results.report.markup import Html, element, foreign, join
from export_runtime.figures import counted, duration, size

from export_cli.insights.breaks import Break, Day
from export_cli.insights.figures import Growth, Runs, Trend

_CELL, _GAP, _LEFT, _TOP = 13, 3, 30, 16
_WIDTH, _HEIGHT, _MARGIN = 300, 110, 6
_SHADES = 4


def calendar(runs: Sequence[Runs], first: date, last: date) -> Html:
    """Return a cell for each day, the darker the more runs; red where some failed, the darker the larger the share."""
    by_day = {each.day: each for each in runs}
    most = max((each.runs for each in runs), default=1)
    monday = first - timedelta(days=first.weekday())
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    weeks = ((last - monday).days // 7) + 1
    cells = [_cell(day, (day - monday).days // 7, by_day.get(day), most) for day in days]
    names = [_text(0, _row(number) + _CELL - 3, name) for number, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"))]
    months = [
        _text(_column((day - monday).days // 7), _TOP - 5, f"{day:%b}")
        for day in days
        if day.day <= 7 and day.weekday() == 0
    ]
    total, failed = sum(each.runs for each in runs), sum(each.failed for each in runs)
    title = f"Dag runs by day from {day_of(first)} to {day_of(last)}: {total:,}, {failed:,} failed"
    width = _column(weeks) + 16  # a month's name may stand above the last week
    box = f"0 0 {width} {_row(7)}"
    return element("svg", element("title", title), *names, *months, *cells, viewBox=box, role="img", class_="calendar",
                   style=f"max-width:{width * 1.75:g}px")  # fmt: skip


def shade(runs: int, failed: int, most: int) -> str:
    """Return the class of a day: none, g1 to g4 by the number of runs, b1 to b4 by the share of failures."""
    if not runs:
        return "none"
    if failed:
        share = failed / runs
        return f"b{1 + sum(share > limit for limit in (0.02, 0.1, 0.3))}"
    return f"g{max(1, math.ceil(_SHADES * runs / most))}"


def trend_chart(trend: Trend, first: date, last: date) -> Html:
    """Return the median as a line, up to the 95th percentile as an area, and a mark where durations broke."""
    days = max((last - first).days, 1)
    top = max((day.p95 for day in trend.days), default=1) or 1

    def at(day: date) -> float:
        return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (day - first).days / days, 1)

    def height(seconds: float) -> float:
        return round(_HEIGHT - 14 - seconds / top * (_HEIGHT - 28), 1)

    upper = [(at(day.day), height(day.p95)) for day in trend.days]
    middle = [(at(day.day), height(day.median)) for day in trend.days]
    dots = [_dot(day, *point, day is trend.days[-1]) for day, point in zip(trend.days, middle, strict=True)]
    marks = [_mark(found, at(found.day)) for found in trend.breaks]
    newest = trend.days[-1]
    told = (
        f"{foreign(trend.dag, 80)}: median {duration(newest.median)} on {day_of(newest.day)}, highest {duration(top)}"
    )
    return element(
        "svg",
        element("title", told),
        element("polygon", points=_points([*upper, *reversed(middle)]), class_="area"),
        element("polyline", points=_points(middle), class_="line"),
        *marks,
        *dots,
        _text(_MARGIN, _HEIGHT - 2, f"{first.day} {first:%b}"),
        _text(_MARGIN, 8, duration(top)),
        _text(_WIDTH - _MARGIN, _HEIGHT - 2, f"{last.day} {last:%b}", class_="end"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        class_="trend",
    )


def growth_chart(growth: Growth) -> Html:
    """Return a table's size over the exports; the scale begins at zero."""
    first, last = growth.moments[0], growth.moments[-1]
    seconds = max((last - first).total_seconds(), 1)
    top = max(growth.sizes) or 1
    points = [
        (round(2 + 116 * (moment - first).total_seconds() / seconds, 1), round(26 - 24 * (value / top), 1))
        for moment, value in zip(growth.moments, growth.sizes, strict=True)
    ]
    told = f"from {size(growth.sizes[0])} on {day_of(first)} to {size(growth.sizes[-1])} on {day_of(last)}"
    floor = [(points[-1][0], 28), (points[0][0], 28)]
    return element(
        "svg",
        element("title", told),
        element("polygon", points=_points([*points, *floor]), class_="area"),
        element("polyline", points=_points(points), class_="line"),
        viewBox="0 0 120 28",
        role="img",
        class_="growth",
    )


def day_of(moment: date | datetime) -> str:
    """Return a day for people."""
    return f"{moment.day} {moment:%B %Y}"


def _dot(day: Day, x: float, y: float, is_newest: bool) -> Html:
    """Return the mark of a day, to be seen where it is the newest: a line of one day is none."""
    told = f"{day_of(day.day)}: median {duration(day.median)}, 19 of 20 within {duration(day.p95)}"
    title = element("title", f"{told}, {counted(day.runs, 'run')}")
    return element("circle", title, cx=f"{x:g}", cy=f"{y:g}", r="3", class_="dot last" if is_newest else "dot")


def _mark(found: Break, x: float) -> Html:
    told = f"{day_of(found.day)}: median {duration(found.before)} before, {duration(found.after)} since"
    ends = {"x1": f"{x:g}", "y1": "12", "x2": f"{x:g}", "y2": f"{_HEIGHT - 14}"}
    return element("line", element("title", told), **ends, class_="broke" if found.slower else "mended")


def _cell(day: date, week: int, found: Runs | None, most: int) -> Html:
    runs, failed = (found.runs, found.failed) if found else (0, 0)
    told = f"{day:%A}, {day_of(day)}: {counted(runs, 'run')}" + (f", {failed:,} failed" if failed else "")
    return element("rect", element("title", told), x=f"{_column(week)}", y=f"{_row(day.weekday())}", width=f"{_CELL}",
                   height=f"{_CELL}", rx="2.5", class_=f"day {shade(runs, failed, most)}")  # fmt: skip


def _column(week: int) -> int:
    return _LEFT + week * (_CELL + _GAP)


def _row(weekday: int) -> int:
    return _TOP + weekday * (_CELL + _GAP)


def _text(x: float, y: float, text: str, class_: str | None = None) -> Html:
    return element("text", join(text), x=f"{x:g}", y=f"{y:g}", class_=class_)


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
