"""What a reader has to know before anything else, the worst first."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from export_contracts.coverage import coverage_of
from export_contracts.findings import FailedGroup, RowFall
from export_contracts.manifest import SNAPSHOT
from export_contracts.summary import PARTIAL, Summary
from export_runtime.figures import short_count

from aggregate_results.report.markup import Html, element, foreign, join, link

# The report stays light whatever happens; the summary has it all.
_NAMES_SHOWN = 60
_PROBLEMS_SHOWN = 20
_GROUPS_SHOWN = 12
_TWO_WAYS = (
    "Repair such a table and redrive the execution, or leave it out: exclude_tables, or the stack's ExcludeTables."
)


def notices(summary: Summary) -> tuple[Html, ...]:
    """Return the notices of a summary; none when there is nothing to say."""
    return (
        *(_failed_group(group, summary.exported_of(group.group)) for group in summary.failed_groups[:_GROUPS_SHOWN]),
        *_problems(summary.problems),
        *_scope(summary),
        *_row_falls(summary.row_falls),
        *_consistency(summary),
        *_uncatalogued(summary.uncatalogued_tables),
        *_orphans(summary.orphans),
        *_unread_evidence(summary.unread_evidence),
        *_skipped(summary.skipped_tables),
    )


def _notice(kind: str, title: str, *children: str) -> Html:
    return element("article", element("h3", title), *children, class_=f"notice {kind}")


def _failed_group(group: FailedGroup, delivered: int) -> Html:
    log, failed = group.log_url, list(group.failed_tables.items())
    errors = [element("li", f"{foreign(name, 80)}: {foreign(error, 400)}") for name, error in failed[:_PROBLEMS_SHOWN]]
    return _notice(
        "bad",
        f"Group {foreign(group.group)} failed",
        element("p", foreign(group.error, 2000), class_="error"),
        element("ul", *errors) if errors else Html(),
        element("p", _missing(group.tables, delivered)),
        element("p", _TWO_WAYS) if errors else Html(),
        element("p", link("Log of its Glue run", log) if log else "Its Glue run did not start, or is not known."),
    )


def _missing(tables: tuple[str, ...], delivered: int) -> str:
    there = f"{_tables(delivered)} of the group exported and verified all the same."
    if tables:
        return f"Not in this export: {_listed(tables)}{f'. {there}' if delivered else ''}"
    return f"Nothing is known to be missing: {there}" if delivered else "What it would have exported is not known."


def _problems(problems: tuple[str, ...]) -> Iterator[Html]:
    if not problems:
        return
    more = len(problems) - _PROBLEMS_SHOWN
    items = [
        *(foreign(problem, 400) for problem in problems[:_PROBLEMS_SHOWN]),
        *([f"and {more} more"] if more > 0 else []),
    ]
    yield _notice("bad", "What the verification found", element("ul", *(element("li", item) for item in items)))


def _scope(summary: Summary) -> Iterator[Html]:
    if summary.scope == PARTIAL:
        asked = foreign(coverage_of(summary), 2000)
        text = f"It was asked for less than the stack's own parameters ask for: {asked}. Nothing counts it as a backup."
        yield _notice("warn", "A partial export, no backup of the environment", element("p", text))


def _row_falls(falls: Iterable[RowFall]) -> Iterator[Html]:
    lines = [element("li", _fall(fall)) for fall in falls]
    if lines:
        text = element("p", "Since the previous export. Somebody has cleaned up, or rows are missing.")
        yield _notice("warn", "Tables with far fewer rows", text, element("ul", *lines[:_NAMES_SHOWN]))


def _fall(fall: RowFall) -> str:
    rows = f"{short_count(fall.previous_rows)} \N{RIGHTWARDS ARROW} {short_count(fall.rows)} rows"
    return f"{foreign(fall.table, 80)}: {rows} (\N{MINUS SIGN}{fall.percent:g} %)"


def _consistency(summary: Summary) -> Iterator[Html]:
    if summary.consistency != SNAPSHOT and summary.details:
        text = "Rows of one table may refer to rows that another lacks. The groups' manifests say why."
        yield _notice("warn", "Not all tables show the same snapshot", element("p", text))


def _uncatalogued(tables: tuple[str, ...]) -> Iterator[Html]:
    if tables:
        text = f"Exported with every row that refers to no older run: {_listed(tables)}"
        yield _notice("warn", f"{_tables(len(tables))} that this version does not know", element("p", text))


def _orphans(orphans: Mapping[str, int]) -> Iterator[Html]:
    if orphans:
        text = "They do not load into a database with Airflow's constraints."
        items = [
            element("li", f"{foreign(name, 80)}: {short_count(number)} rows")
            for name, number in sorted(orphans.items())[:_NAMES_SHOWN]
        ]
        yield _notice("warn", "Rows that refer to rows which do not exist", element("p", text), element("ul", *items))


def _unread_evidence(tables: tuple[str, ...]) -> Iterator[Html]:
    if tables:
        text = f"An older run that only these tell of is missing: {_listed(tables)}"
        yield _notice("warn", f"{_tables(len(tables))} could not be read for the window", element("p", text))


def _skipped(tables: Mapping[str, str]) -> Iterator[Html]:
    if not tables:
        return
    names = defaultdict(list)
    for name, reason in sorted(tables.items()):
        names[foreign(reason, 200)].append(name)
    largest_first = sorted(names.items(), key=lambda item: -len(item[1]))
    items = [
        join(element("dt", reason), element("dd", _listed(found))) for reason, found in largest_first[:_GROUPS_SHOWN]
    ]
    heading = element("summary", f"{_tables(len(tables))} not exported, and why")
    yield element("details", heading, element("dl", *items), class_="notice note")


def _tables(number: int) -> str:
    return "1 table" if number == 1 else f"{number:,} tables"


def _listed(names: Iterable[str]) -> str:
    listed = [foreign(name, 80) for name in names]
    rest = f" and {len(listed) - _NAMES_SHOWN:,} more" if len(listed) > _NAMES_SHOWN else ""
    return ", ".join(listed[:_NAMES_SHOWN]) + rest
