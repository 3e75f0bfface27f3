"""Rows, sizes and durations as bars."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from export_contracts.exported_table import ExportedTable
from export_runtime.figures import duration, short_count, size

from aggregate_results.report.markup import Html, element, foreign, join, name

# The report stays light whatever happens; the summary has it all.
_TABLES_SHOWN = 100
_NAMES_SHOWN = 150
_SLOWEST = 8

Details = Mapping[str, ExportedTable]


def tables_section(details: Details) -> Html:
    """Return rows and sizes of every table, the largest first; those without a row only by name."""
    if not details:
        return element("p", "No table was exported and verified.", class_="quiet")
    filled = {table: entry for table, entry in details.items() if entry.rows}
    by_size = sorted(filled.items(), key=lambda item: (-item[1].object_bytes, item[0]))
    most_rows = max((entry.rows for entry in filled.values()), default=0)
    most_bytes = max((entry.object_bytes for entry in filled.values()), default=0)
    rows = [_table_row(table, entry, most_rows, most_bytes) for table, entry in by_size[:_TABLES_SHOWN]]
    table = bars_table(("Table", "Rows", "Size"), rows)
    return join(
        table if rows else "", _more(len(by_size)), _empty(sorted(table for table in details if table not in filled))
    )


def durations_section(details: Details) -> Html:
    """Return copy times by group and of the slowest tables."""
    groups: dict[str, float] = defaultdict(float)
    for entry in details.values():
        groups[entry.group] += _seconds(entry)
    tables = {table: _seconds(entry) for table, entry in details.items()}
    return join(_times("Group", groups, len(groups)), _times("Slowest tables", tables, _SLOWEST))


def _table_row(table: str, entry: ExportedTable, most_rows: int, most_bytes: int) -> Html:
    rows, stored = entry.rows, entry.object_bytes
    title = f"{size(stored)} compressed, {size(entry.csv_bytes)} of CSV, copied in {duration(_seconds(entry))}"
    head = join(element("span", name(table), class_="name"), " ", element("span", entry.group, class_="group"))
    return element(
        "tr",
        element("th", head, scope="row"),
        bar_cell(short_count(rows), rows, most_rows),
        bar_cell(size(stored), stored, most_bytes),
        title=title,
    )


def _times(title: str, seconds: Mapping[str, float], shown: int) -> Html:
    longest_first = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))[:shown]
    longest = max(seconds.values(), default=0)
    rows = [
        element("tr", element("th", name(what), scope="row"), bar_cell(duration(value), value, longest))
        for what, value in longest_first
    ]
    return bars_table((title, "Time"), rows)


def bars_table(titles: Iterable[str], rows: Iterable[Html]) -> Html:
    """Return a table of rows whose cells ``bar_cell`` made."""
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    return element("table", element("thead", head), element("tbody", *rows), class_="bars")


def bar_cell(text: str, value: float, largest: float) -> Html:
    """Return a cell with a figure for people and its bar, beside the largest of the column."""
    share = value / largest * 100 if largest else 0
    # Something is never drawn as nothing.
    bar = element("i", style=f"width:{max(share, 0.5 if value else 0):.3g}%")
    return element("td", element("div", element("span", bar), text))


def _more(number: int) -> Html:
    more = number - _TABLES_SHOWN
    return (
        element("p", f"and {more:,} smaller tables; the summary has them all", class_="quiet") if more > 0 else Html()
    )


def _empty(names: list[str]) -> Html:
    if not names:
        return Html()
    more = len(names) - _NAMES_SHOWN
    listed = ", ".join(foreign(table, 80) for table in names[:_NAMES_SHOWN]) + (
        f" and {more:,} more" if more > 0 else ""
    )
    number = "1 table" if len(names) == 1 else f"{len(names):,} tables"
    heading = element("summary", f"{number} without a row in the window")
    return element("details", heading, element("p", listed), class_="quiet")


def _seconds(entry: ExportedTable) -> float:
    return max(entry.duration_seconds, 0.0)  # below zero when clocks differ
