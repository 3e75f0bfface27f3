"""The figures for people: tables on the terminal, a chart and a page in docs/."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from local.bench.chart import Bar, draw
from local.bench.result import Result
from local.bench.targets import judge
from local.console import Progress

BEGIN, END = "<!-- measured: begin (written by `make bench`) -->", "<!-- measured: end -->"
SPEED = ("contestant", "rows ", "seconds ", "min - max ", "s per million rows ", "CSV MB/s ")
USE = ("contestant", "output MB ", "peak MB: Python ", "Java ", "CPU s: own ", "PostgreSQL ", "S3 ", "cores busy ")
WINDOW = ("what", "of rows ", "exported ", "seconds ", "min - max ", "net of Spark's start ", "pages read ")
WINDOW_USE = (
    "what",
    "of rows ",
    "CPU s: PostgreSQL ",
    "for rows ",
    "to find them ",
    "Python ",
    "Java ",
    "peak MB: Python ",
)
FIXED = ("what runs", "seconds ", "CPU s: Python ", "Java ", "peak MB: Python ")
IMPORTS = ("process", "what is imported, 5 ms or more each")
RESTORE = ("what", "rows ", "seconds ", "min - max ", "CPU s: PostgreSQL ", "own ", "peak MB: Python ")
ASKED = ("question", "rows ", "over Parquet, s ", "in PostgreSQL, s ", "times ")
COLD = ("function", "init ms ", "slowest ms ", "peak MB ")
WIDTH = 120  # of the lines of docs/
KINDS = {"same": "same window", "days": "30 days", "everything": "everything"}
Rows = list[list[str]]


def speed(rows: Iterable[Result]) -> Rows:
    """Return the cells of SPEED."""
    return [_speed(each) for each in rows]


def use(rows: Iterable[Result]) -> Rows:
    """Return the cells of USE."""
    return [_use(each) for each in rows]


def window(rows: Iterable[Result]) -> Rows:
    """Return the cells of WINDOW."""
    return [_window(each) for each in rows]


def window_use(rows: Iterable[Result]) -> Rows:
    """Return the cells of WINDOW_USE."""
    return [_window_use(each) for each in rows]


def fixed(rows: Iterable[Result]) -> Rows:
    """Return the cells of FIXED."""
    return [_fixed(each) for each in rows]


def restore(rows: Iterable[Result]) -> Rows:
    """Return the cells of RESTORE."""
    return [_restore(each) for each in rows]


def imports(rows: Iterable[Result]) -> Rows:
    """Return the cells of IMPORTS."""
    found: dict[str, list[str]] = {}
    for each in rows:
        found.setdefault(each["process"], []).append(f"{each['package']} {each['ms']:.0f} ms")
    return [[process, ", ".join(packages)] for process, packages in found.items()]


def asked(rows: Iterable[Result]) -> Rows:
    """Return the cells of ASKED."""
    return [
        [
            each["question"],
            f"{each['rows']:,}",
            f"{each['query']:.3f}",
            f"{each['postgresql']:.3f}",
            f"{each['query'] / each['postgresql']:.2f}",
        ]
        for each in rows
    ]


def cold_starts(rows: Iterable[Result]) -> Rows:
    """Return the cells of COLD."""
    return [
        [each["name"], str(each["init_ms"]), str(each["slowest_ms"]), f"{each['peak_bytes'] / 1e6:.0f}"]
        for each in rows
    ]


def targets(result: Result) -> Rows:
    """Return name, aim, measured, verdict."""
    return [[each.name, each.aim, each.measured, "met" if each.met else "missed"] for each in judge(result)]


def print_tables(result: Result, progress: Progress) -> None:
    """Print everything that was measured."""
    for title, key in (
        ("Contest", "contest"),
        ("Memory over rows", "memory"),
        ("One table on 1 and 2 slots", "slots"),
        ("With Parquet", "parquet"),
    ):
        if result[key]:
            progress.table(title, SPEED, speed(result[key]))
            progress.table("", USE, use(result[key]))
    if result["window"]:
        progress.table("A window of a growing database", WINDOW, window(result["window"]))
        progress.table("", WINDOW_USE, window_use(result["window"]))
    if result["fixed"]:
        progress.table("What a run costs before its first row", FIXED, fixed(result["fixed"]["steps"]))
        progress.table("", IMPORTS, imports(result["fixed"]["imports"]))
    if result["query"]:
        progress.table("Questions over Parquet and in PostgreSQL", ASKED, asked(result["query"]))
    if result["functions"]:
        progress.table("Cold starts of the functions", COLD, cold_starts(result["functions"]))
    if result["restore"]:
        progress.table("What comes back", RESTORE, restore(result["restore"]))
    if judge(result):
        progress.table("Targets", ("target", "aim", "measured", ""), targets(result))
    for who, reason in result["unavailable"].items():
        progress.note(f"not measured: {who}: {reason}")


def draw_chart(result: Result) -> str:
    """Return the contest as SVG: seconds per million rows, shorter is better."""
    bars = [_bar(each) for each in sorted(result["contest"], key=lambda each: each["seconds_per_million_rows"])]
    machine, turns = result["machine"], result["contest"][0]["turns"]
    subtitle = f"whole process with Spark's start, median of {turns}, {machine['cores']} cores; shorter is better"
    return draw("Seconds to export a million rows of Airflow metadata", subtitle, bars)


def update_page(page: Path, result: Result) -> None:
    """Replace what stands between the page's marks; what a person wrote around them stays."""
    text = page.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{_measured(result)}\n{END}{tail}")


def _measured(result: Result) -> str:
    machine, start = result["machine"], result["spark_start_seconds"]
    where = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB"
    started = f"{start['median']:.1f} s ({start['min']:.1f} - {start['max']:.1f})"
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    parts = [
        _prose(f"`{result['command']}` on {result['made_at'][:10]}: {where}."),
        _prose(f"{versions}."),
        "## Targets",
        _markdown(("target", "aim", "measured", ""), targets(result)),
        "## Contest",
        *_figures(result["contest"]),
        _prose(f"Spark's start alone, until Spark runs Python in every slot, is in these figures: {started}."),
        *(_prose(f"Not measured: {who}: {reason}") for who, reason in result["unavailable"].items()),
        "## Memory over rows",
        *_figures(result["memory"]),
        "## One table on one and on two slots",
        *_figures(result["slots"]),
        "## Parquet",
        *_figures(result["parquet"]),
        "## A window of a growing database",
        _markdown(WINDOW, window(result["window"])),
        _markdown(WINDOW_USE, window_use(result["window"])),
        "## What a run costs before its first row",
        _markdown(FIXED, fixed(result["fixed"].get("steps", []))),
        _markdown(IMPORTS, imports(result["fixed"].get("imports", []))),
        "## Questions over Parquet and in PostgreSQL",
        _markdown(ASKED, asked(result["query"])),
        "## Cold starts of the functions",
        _markdown(COLD, cold_starts(result["functions"])),
        "## What comes back",
        _markdown(RESTORE, restore(result["restore"])),
    ]
    return "\n" + "\n\n".join(parts) + "\n"


def _prose(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _markdown(columns: Sequence[str], rows: Rows) -> str:
    names = [column.strip() for column in columns]
    rule = ["---:" if column.endswith(" ") else "---" for column in columns]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (names, rule, *rows))


def _figures(rows: Sequence[Result]) -> list[str]:
    return [_markdown(SPEED, speed(rows)), _markdown(USE, use(rows))]


def _speed(each: Result) -> list[str]:
    wall = each["wall_seconds"]
    return [
        each["label"],
        f"{each['rows']:,}",
        f"{wall['median']:.1f}",
        f"{wall['min']:.1f} - {wall['max']:.1f}",
        f"{each['seconds_per_million_rows']:.2f}",
        f"{each['csv_mb_per_second']:.1f}",
    ]


def _use(each: Result) -> list[str]:
    cpu, peak = each["cpu_seconds"], each["peak_bytes"]
    own = cpu["python"] + cpu["java"] + cpu["other"]
    return [
        each["label"],
        f"{each['output_bytes'] / 1e6:.0f}",
        _megabytes(peak["python"]),
        _megabytes(peak["java"]),
        f"{own:.1f}",
        f"{cpu['postgres']:.1f}",
        f"{cpu['s3']:.1f}",
        f"{(own + cpu['postgres'] + cpu['s3']) / each['wall_seconds']['median']:.1f}",
    ]


def _window(each: Result) -> list[str]:
    wall = each["wall_seconds"]
    return [
        *_database(each),
        f"{each['rows']:,}",
        f"{wall['median']:.1f}",
        f"{wall['min']:.1f} - {wall['max']:.1f}",
        f"{wall['median'] - each['start_seconds']:.1f}",
        f"{each['pages_read']:,}",
    ]


def _window_use(each: Result) -> list[str]:
    cpu, statements = each["cpu_seconds"], each["statement_seconds"]
    seconds = (cpu["postgres"], statements["rows"], statements["look"], cpu["python"], cpu["java"])
    return [*_database(each), *(f"{spent:.2f}" for spent in seconds), _megabytes(each["peak_bytes"]["python"])]


def _database(each: Result) -> list[str]:
    return [f"{each['label']}, {KINDS[each['kind']]}", f"{each['database_rows'] / 1e6:g} million"]


def _restore(each: Result) -> list[str]:
    cpu, wall = each["cpu_seconds"], each["wall_seconds"]
    return [
        each["label"],
        f"{each['rows']:,}",
        f"{wall['median']:.1f}",
        f"{wall['min']:.1f} - {wall['max']:.1f}",
        f"{cpu['postgres']:.1f}",
        f"{cpu['python'] + cpu['other']:.1f}",
        _megabytes(each["peak_bytes"]["python"]),
    ]


def _fixed(each: Result) -> list[str]:
    cpu, wall = each["cpu_seconds"], each["wall_seconds"]["median"]
    peak = _megabytes(each["peak_bytes"]["python"])
    return [each["label"], f"{wall:.2f}", f"{cpu['python']:.2f}", f"{cpu['java']:.2f}", peak]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}" if size else "-"


def _bar(each: Result) -> Bar:
    seconds = each["seconds_per_million_rows"]
    return Bar(each["label"], seconds, f"{seconds:.1f} s", own=each["key"] == "engine")
