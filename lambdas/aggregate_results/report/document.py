"""The report as one HTML document: warnings first, then figures with their history, tables, durations, facts."""

from collections.abc import Callable

from export_contracts.proof import Proof
from export_contracts.summary import PARTIAL, Summary
from export_runtime.figures import duration, short_count, size

from aggregate_results.report.facts import STARTED_BY, facts, moment
from aggregate_results.report.history import PastExport
from aggregate_results.report.markup import Html, element, foreign, join
from aggregate_results.report.notices import notices
from aggregate_results.report.page import page
from aggregate_results.report.sparkline import caption, sparkline
from aggregate_results.report.tables import durations_section, tables_section

_COLOURS = {"complete": "#15803d", "partial": "#a15c07", "incomplete": "#c81e1e"}


def render_report(
    summary: Summary, summary_uri: str, history: tuple[PastExport, ...], proof: Proof | None = None
) -> str:
    """Return the report.

    Args:
        summary: of the export.
        summary_uri: where it is.
        history: the last exports, oldest first, this one at the end; empty when they are not known.
        proof: of the newest export that is proven to restore, if one is.
    """
    body = element(
        "body",
        _header(summary),
        element("main", _notices(summary), *_figures(summary, history), *_details(summary, summary_uri, proof)),
        _footer(),
        class_=_kind(summary),
    )
    title = f"{_status(summary)} - {foreign(summary.environment)} - {summary.started:%Y-%m-%d %H:%M} UTC"
    return page(title, _COLOURS[_kind(summary)], body)


def _header(summary: Summary) -> Html:
    line = f"{moment(summary.started)} · Airflow {foreign(summary.airflow_version or 'unknown')}"
    return element(
        "header",
        element("p", "MWAA metadata export", class_="over"),
        element("h1", foreign(summary.environment)),
        element("p", element("strong", _status(summary), class_="badge"), " ", _verdict(summary)),
        element("p", f"{line} · started by {STARTED_BY[summary.trigger]}", class_="quiet"),
    )


def _kind(summary: Summary) -> str:
    if not summary.complete:
        return "incomplete"
    return "partial" if summary.scope == PARTIAL else "complete"


def _status(summary: Summary) -> str:
    return f"{summary.status} (partial)" if summary.scope == PARTIAL else summary.status


def _verdict(summary: Summary) -> str:
    exported = f"{len(summary.details):,} tables exported, each object verified by size and SHA-256."
    if summary.complete:
        return exported
    failed = len(summary.failed_groups)
    groups = "1 table group has failed" if failed == 1 else f"{failed} table groups have failed"
    return f"{groups}. {exported} A retry or a redrive writes this report anew."


def _notices(summary: Summary) -> Html:
    found = notices(summary)
    calm = Html() if not summary.complete or len(found) > bool(summary.skipped_tables) else _all_well()
    return element("section", calm, *found, aria_label="What to know first", class_="notices")


def _all_well() -> Html:
    return element("article", element("h3", "Nothing to do"), class_="notice good")


def _figures(summary: Summary, history: tuple[PastExport, ...]) -> tuple[Html, ...]:
    tiles = (
        _tile("Rows", short_count(summary.total_rows), "", history, lambda past: past.rows),
        _tile(
            "Size",
            size(summary.object_bytes),
            f"{size(summary.csv_bytes)} of CSV",
            history,
            lambda past: past.object_bytes,
        ),
        _tile("Duration", duration(summary.duration_seconds), "", history, lambda past: past.seconds),
    )
    number = f"The last {len(history)} exports" if len(history) > 1 else "This export"
    return (element("h2", number), element("section", *tiles, aria_label=number, class_="tiles"))


_SHOWN: dict[str, Callable[[PastExport], str]] = {
    "Rows": lambda past: short_count(past.rows),
    "Size": lambda past: size(past.object_bytes),
    "Duration": lambda past: duration(past.seconds),
}


def _tile(
    name: str, figure: str, note: str, history: tuple[PastExport, ...], value: Callable[[PastExport], float]
) -> Html:
    drawn = sparkline(name, history, value, _SHOWN[name]) if len(history) > 1 else Html()
    comparison = caption(history, value)
    notes = join(*([note, " · "] if note and comparison else [note]), comparison)
    return element(
        "div",
        element("p", name, class_="label"),
        element("p", figure, class_="figure"),
        element("p", notes, class_="quiet"),
        drawn,
        class_="tile",
    )


def _details(summary: Summary, summary_uri: str, proof: Proof | None) -> tuple[Html, ...]:
    details = summary.details
    return (
        element("section", element("h2", "Tables"), tables_section(details)),
        element(
            "section",
            element("h2", "Copying"),
            element(
                "p",
                "Tables are copied at the same time: these durations do not add up to the export's.",
                class_="quiet",
            ),
            element("div", durations_section(details), class_="columns"),
        )
        if details
        else Html(),
        element("section", element("h2", "Facts"), facts(summary, summary_uri, proof)),
    )


def _footer() -> Html:
    text = (
        "Written by MWAA Metadata Export from the summary beside it, which has every table, column, size and checksum."
    )
    return element("footer", element("p", text, class_="quiet"))
