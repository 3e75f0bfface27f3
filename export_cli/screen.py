"""What people and scripts see: tables and lines on a terminal, one JSON document for scripts, progress on stderr."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from export_contracts.summary import COMPLETE, INCOMPLETE
from export_runtime.figures import duration
from export_runtime.text import one_line
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from export_cli.output import Terminal, plain

STYLES = {
    COMPLETE: "green", "pass": "green", "ok": "green", "SUCCEEDED": "green", "ALREADY_EXPORTED": "green",
    INCOMPLETE: "red", "fail": "red", "bad": "red", "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "red",
    "unknown": "yellow", "BUSY": "yellow", "RUNNING": "cyan",
}  # fmt: skip


_PADDING = 2
_NARROWEST = 24  # how far a column that may be folded is


class Screen:
    """Prints text that others wrote as one line without control characters: a table name cannot move the cursor."""

    def __init__(self, as_json: bool, out: Terminal | None = None, progress: Terminal | None = None) -> None:
        """Print to stdout; progress goes to stderr, and only when that is a terminal."""
        self.as_json = as_json
        self.out = out or Terminal(highlight=False)
        self._err = progress or Terminal(stderr=True, highlight=False)

    def document(self, content: Any) -> None:
        """Print the one JSON document of a command."""
        text = json.dumps(content, indent=2, default=str, ensure_ascii=not self.out.is_unicode)
        self.out.file.write(text + "\n")

    def line(self, *parts: str, style: str = "") -> None:
        """Print a line; a part that is a verdict has its colour."""
        if not self.as_json:
            texts = (Text(self._printable(part), style=STYLES.get(part, style)) for part in parts if part)
            self.out.print(Text(" ").join(texts), soft_wrap=True)

    def _cell(self, text: str) -> Text:
        return Text(self._printable(text), style=STYLES.get(text, ""))

    def _printable(self, text: str) -> str:
        line = one_line(text, 4000)
        return line if self.out.is_unicode else plain(line)

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr."""
        self._err.print(Text(self._printable(text), style="yellow"), soft_wrap=True)

    def blank(self) -> None:
        """Print an empty line."""
        if not self.as_json:
            self.out.print()

    def facts(self, pairs: Mapping[str, str]) -> None:
        """Print terms and what they are."""
        if self.as_json:
            return
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for term, fact in pairs.items():
            table.add_row(term, self._cell(fact))
        self.out.print(table)

    def table(
        self, columns: Sequence[str], rows: Iterable[Iterable[object]], title: str = "", drop: Sequence[str] = ()
    ) -> None:
        """Print a table.

        Args:
            columns: one whose name ends in a blank holds numbers: right-aligned, never folded; one whose name begins
                with a blank is never folded.
            rows: cells.
            title: above it.
            drop: columns that are left out where the terminal is too narrow, the first of them first.
        """
        if self.as_json:
            return
        if title:
            self.out.print(Text(title, style="bold"))
        cells = [[str(cell) for cell in row] for row in rows]
        shown = self._fitting(columns, cells, drop)
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for column in (columns[at] for at in shown):
            number, whole = bool(column.strip()) and column.endswith(" "), column != column.strip()
            justify: JustifyMethod = "right" if number else "left"
            table.add_column(column.strip(), justify=justify, no_wrap=whole, overflow="fold")
        for row in cells:
            table.add_row(*(self._cell(row[at]) for at in shown))
        self.out.print(table)
        if len(shown) < len(columns):
            left_out = ", ".join(column.strip() for at, column in enumerate(columns) if at not in shown)
            self.line(f"Too narrow for: {left_out}", style="dim")

    def _fitting(self, columns: Sequence[str], rows: list[list[str]], drop: Sequence[str]) -> list[int]:
        """Return the numbers of the columns that are shown."""
        widths = [
            min(self._width(column, [row[at] for row in rows]), _NARROWEST if column == column.strip() else 10_000)
            for at, column in enumerate(columns)
        ]
        shown = list(range(len(columns)))
        for name in drop:
            if sum(widths[at] + _PADDING for at in shown) - _PADDING <= self.out.width:
                break
            shown.remove(columns.index(name))
        return shown

    def _width(self, column: str, cells: list[str]) -> int:
        return max(cell_len(self._printable(text)) for text in (column.strip(), *cells))

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator["Bar"]:
        """Show how far something has come, on a terminal.

        Args:
            what: is being done.
            total: bytes in all, or None when that is not known.
        """
        if self.as_json or not self._err.is_terminal:
            yield Bar()
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Progress(*columns, TimeRemainingColumn(), console=self._err, transient=True) as shown:
            yield Bar(shown, shown.add_task(what, total=total))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that something is being waited for, on a terminal."""
        if self.as_json or not self.out.is_terminal:
            yield
            return
        with self.out.status(Text(what)):
            yield


class Bar:
    """How far something has come; without a terminal it shows nothing."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        """Move this task of the progress."""
        self._progress, self._task = progress, task

    def advance(self, amount: int) -> None:
        """Advance by so many bytes."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, advance=amount)

    def describe(self, what: str) -> None:
        """Say what is being done now."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=one_line(what, 40))


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago something was."""
    seconds = (now - moment).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 60 else "now"
