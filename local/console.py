"""What a person sees: one line when a step begins, one when it ends, and tables."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

Note = Callable[[str], None]


class Progress:
    """Prints the steps of a long command as they begin and end; safe to use from several threads.

    `seconds` keeps how long each step took, by its name.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()
        self._start = time.monotonic()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Note]:
        """Announce a step, hand out a function for notes in between, and say how it ended."""
        self.say(f"[dim]...[/] {name}")
        begin = time.monotonic()
        try:
            yield lambda text: self.note(f"{name}: {text}")
        except BaseException:
            self.say(f"[red]✗[/] {name} [dim]{time.monotonic() - begin:.1f} s[/]")
            raise
        self.seconds[name] = round(time.monotonic() - begin, 2)
        self.say(f"[green]✓[/] {name} [dim]{self.seconds[name]:.1f} s[/]")

    def note(self, text: str) -> None:
        """Print a line that may hold anything: it is not read as markup."""
        self._print(Text(f"    {text}", style="dim"))

    def say(self, markup: str) -> None:
        """Print a line of rich markup."""
        self._print(Text.from_markup(markup))

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Print a table; a column whose name ends in a blank is right-aligned."""
        table = Table(
            title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
        )
        for column in columns:
            table.add_column(column.rstrip(), justify="right" if column.endswith(" ") else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        with self._lock:
            self.console.print()
            self.console.print(table)

    def elapsed(self) -> float:
        """Return the seconds since this command began."""
        return time.monotonic() - self._start

    def _print(self, text: Text) -> None:
        stamp = Text(f"{self.elapsed():6.1f} ", style="dim")
        with self._lock:
            self.console.print(stamp + text, soft_wrap=True)


def exit_code(progress: Progress, work: Callable[[], object], expected: tuple[type[Exception], ...]) -> int:
    """Do the work of a command and return its exit code: 0, 1 for a failure that says why, 130 after Ctrl-C.

    Args:
        progress: told how it ended.
        work: cleans up after itself, also when it is interrupted.
        expected: errors whose text is all that a person needs; any other one is a defect and is raised.
    """
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # a plain `kill` cleans up like Ctrl-C
    try:
        work()
    except KeyboardInterrupt:
        progress.say("[yellow]Interrupted: everything was stopped.[/]")
        return 130
    except expected as error:
        progress.console.print(f"\n{error}", style="red", markup=False, highlight=False)
        return 1
    return 0
