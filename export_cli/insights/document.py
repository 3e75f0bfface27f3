"""The page: what is worth a look first, then runs and failures, durations, tasks, pools, tables."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from aggregate_results.report.markup import Html, element, foreign, join, name
from aggregate_results.report.page import page
from aggregate_results.report.tables import bar_cell, bars_table
from export_runtime.figures import count, counted, duration, size

from export_cli.insights.charts import calendar, day_of, growth_chart, trend_chart
from export_cli.insights.figures import Growth, Insights, Pool, Task, Trend

_NOTICES = 6
_FULL = 0.95  # of a pool's slots in its busiest hour


def render_insights(insights: Insights, notes: Iterable[str] = ()) -> str:
    """Return the page.

    Args:
        notes: what its figures leave out, for whoever reads it elsewhere.
    """
    left_out = [element("p", foreign(note), class_="quiet") for note in notes]
    main = element("main", *_sections(insights), *left_out)
    body = element("body", _header(insights), main, _footer(), class_="complete")
    title = f"Insights - {foreign(insights.environment)} - {insights.until:%Y-%m-%d}"
    return page(title, "#3556c9", body, "export_cli.insights")


def _header(insights: Insights) -> Html:
    first, last = insights.since.date(), insights.until.date()
    span = f"{day_of(first)} to {day_of(last)} · from {counted(insights.exports, 'export')}"
    return element(
        "header",
        element("p", "MWAA metadata insights", class_="over"),
        element("h1", foreign(insights.environment)),
        element("p", span, class_="quiet"),
    )


def _sections(insights: Insights) -> Iterator[Html]:
    first, last = insights.since.date(), insights.until.date()
    yield element("section", *_notices(insights), aria_label="Worth a look", class_="notices")
    yield _tiles(insights)
    if insights.runs:
        drawn = element("div", calendar(insights.runs, first, last), _legend(), class_="card")
        yield _section("Runs and failures", "Each cell is a day, in UTC.", drawn)
    if insights.trends:
        cards = [_trend(trend, insights) for trend in insights.trends]
        about = (
            "Line: the median of the day; area: up to what 19 of 20 runs stay within. Dashed: where durations broke."
        )
        yield _section("Durations by DAG", about, element("div", *cards, class_="trends"))
    if insights.tasks:
        yield _section("Slowest tasks", "By what 19 of 20 of their runs stay within.", _tasks(insights.tasks))
    if insights.pools:
        about = "Waiting is from queued to started. Use is that of the slots, on average and in the busiest hour."
        yield _section("Queue and pools", about, _pools(insights.pools))
    if insights.growth:
        yield _section("Growing tables", "Bytes of CSV in each complete and full export.", _growth(insights.growth))


def _section(title: str, about: str, *children: Html) -> Html:
    return element("section", element("h2", title), element("p", about, class_="quiet"), *children)


def _notices(insights: Insights) -> list[Html]:
    found = [*_broken(insights), *_failing(insights), *_crowded(insights.pools)]
    if not insights.runs:
        found = [_notice("warn", "No dag run began in this time", "Look further back with --days.")]
    return found[:_NOTICES] or [element("article", element("h3", "Nothing stands out"), class_="notice good")]


def _notice(kind: str, title: str, text: str) -> Html:
    return element("article", element("h3", title), element("p", text), class_=f"notice {kind}")


def _broken(insights: Insights) -> Iterator[Html]:
    for trend in insights.trends:
        if trend.breaks and trend.breaks[-1].slower:
            last = trend.breaks[-1]
            text = f"Half of its runs took {duration(last.before)} before, {duration(last.after)} since."
            yield _notice("warn", f"{foreign(trend.dag, 80)} is slower since {day_of(last.day)}", text)


def _failing(insights: Insights) -> Iterator[Html]:
    week = insights.until.date() - timedelta(days=6)
    recent = [each for each in insights.runs if each.day >= week]
    before = [each for each in insights.runs if each.day < week]
    now, was = _share(recent), _share(before)
    if before and now >= 0.02 and now >= 2 * was:
        text = f"{now:.1%} of the runs of the last seven days failed, {was:.1%} of those before."
        yield _notice("bad", "More runs fail than before", text)


def _share(runs: Iterable[object]) -> float:
    total = sum(each.runs for each in runs)  # type: ignore[attr-defined]
    return sum(each.failed for each in runs) / total if total else 0.0  # type: ignore[attr-defined]


def _crowded(pools: tuple[Pool, ...]) -> Iterator[Html]:
    for pool in pools:
        if pool.busiest is not None and pool.busiest >= _FULL and pool.p95 >= 60:
            text = (
                f"In its busiest hour {pool.busiest:.0%} of {counted(pool.slots or 0, 'slot')} were taken; one task in "
            )
            text += f"twenty waits longer than {duration(pool.p95)}."
            yield _notice("warn", f"Pool {foreign(pool.name, 80)} is full at times", text)


def _tiles(insights: Insights) -> Html:
    runs, failed = sum(each.runs for each in insights.runs), sum(each.failed for each in insights.runs)
    waited = max((pool.p95 for pool in insights.pools), default=0.0)
    growth = sum(each.a_day for each in insights.growth)
    tiles = (
        ("Dag runs", count(runs), f"{runs / max(len(insights.runs), 1):,.0f} on a day with runs"),
        ("Failed", f"{failed / max(runs, 1):.1%}", counted(failed, "run")),
        ("Waiting in the queue", duration(waited), "19 of 20 tasks at most, in the slowest pool"),
        ("Growth a day", size(round(growth)), "CSV of the tables that grow most"),
    )
    return element("section", *(_tile(*tile) for tile in tiles), aria_label="In short", class_="tiles four")


def _tile(label: str, figure: str, note: str) -> Html:
    parts = (("label", label), ("figure", figure), ("quiet", note))
    return element("div", *(element("p", text, class_=class_) for class_, text in parts), class_="tile")


def _legend() -> Html:
    return element(
        "div",
        element("span", "fewer runs", *map(_swatch, ("g1", "g2", "g3", "g4")), "more"),
        element("span", "some failed", *map(_swatch, ("b1", "b2", "b3", "b4")), "over 30 %"),
        element("span", _swatch("none"), "no run"),
        class_="legend",
    )


def _swatch(class_: str) -> Html:
    square = element("rect", width="13", height="13", rx="2.5", class_=f"day {class_}")
    return element("svg", square, viewBox="0 0 13 13", aria_hidden="true")


def _trend(trend: Trend, insights: Insights) -> Html:
    newest = trend.days[-1]
    facts = f"{counted(trend.runs, 'run')} · now {duration(newest.median)}, 19 of 20 within {duration(newest.p95)}"
    return element(
        "article",
        element("h3", name(trend.dag), class_="name"),
        element("p", facts, class_="quiet"),
        *(_broke(trend) if trend.breaks else ()),
        trend_chart(trend, insights.since.date(), insights.until.date()),
        class_="card",
    )


def _broke(trend: Trend) -> Iterator[Html]:
    last = trend.breaks[-1]
    change = f"{last.factor:.1f} times as long" if last.slower else f"{1 - last.factor:.0%} shorter"
    yield element("p", f"{change} since {day_of(last.day)}", class_="quiet " + ("slower" if last.slower else "faster"))


def _tasks(tasks: tuple[Task, ...]) -> Html:
    p95, total = max(task.p95 for task in tasks), max(task.total for task in tasks)
    rows = [
        element(
            "tr",
            element("th", name(task.task), element("br"), element("span", name(task.dag), class_="group"), scope="row"),
            bar_cell(duration(task.p95), task.p95, p95),
            bar_cell(duration(task.total), task.total, total),
            title=f"{counted(task.runs, 'run')}, half of them within {duration(task.median)}",
        )
        for task in tasks
    ]
    return bars_table(("Task", "19 of 20 within", "Together"), rows)


def _pools(pools: tuple[Pool, ...]) -> Html:
    titles = (("Pool", None), ("Slots", "wide"), ("Tasks", "wide"), ("Half wait", "wide"), ("19 of 20 within", None),
              ("Used", None), ("Busiest hour", None))  # fmt: skip
    rows = (
        (
            join(element("span", name(pool.name), class_="name")),
            _slots(pool.slots),
            count(pool.tasks),
            duration(pool.median),
            duration(pool.p95),
            "" if pool.used is None else f"{pool.used:.0%}",
            "" if pool.busiest is None else element("span", f"{pool.busiest:.0%}",
                                                    class_="full" if pool.busiest >= _FULL else None),
        )
        for pool in pools
    )  # fmt: skip
    return _grid(titles, rows)


def _slots(slots: int | None) -> str:
    if slots is None:
        return "not known"
    return "no limit" if slots < 0 else count(slots)


def _growth(tables: tuple[Growth, ...]) -> Html:
    titles = (("Table", None), ("", None), ("Now", None), ("A day", None), ("A month", "wide"))
    rows = (
        (
            name(table.table),
            growth_chart(table),
            size(table.sizes[-1]),
            f"+{size(round(table.a_day))}",
            f"+{size(round(table.a_day * 30.4))}",
        )
        for table in tables
    )
    return _grid(titles, rows)


def _grid(titles: tuple[tuple[str, str | None], ...], rows: Iterable[tuple[str, ...]]) -> Html:
    head = element("tr", *(element("th", title, scope="col", class_=class_) for title, class_ in titles))
    body = [
        element(
            "tr",
            element("th", first, scope="row"),
            *(element("td", cell, class_=class_) for cell, (_, class_) in zip(rest, titles[1:], strict=True)),
        )
        for first, *rest in rows
    ]
    return element("div", element("table", element("thead", head), element("tbody", *body), class_="grid"),
                   class_="figures", tabindex="0")  # fmt: skip


def _footer() -> Html:
    text = "Made by mwaa-metadata-export insights on your machine, from the history of the exports."
    return element("footer", element("p", text, class_="quiet"))
