"""Standard output and error: in any encoding, and also when nobody reads them any more."""

import io
import os
import sys
from contextlib import suppress
from typing import Any

from rich.console import Console

# What this program itself prints beside ASCII.
_PLAIN = str.maketrans(
    {"\N{MIDDLE DOT}": "-", "\N{CHECK MARK}": "+", "\N{BALLOT X}": "x", "\N{RIGHTWARDS ARROW}": "->"}
)


_NO_WIDTH = 1000


class Terminal(Console):
    """A console that lets ``main`` decide what happens when nobody reads any more: rich would end with code 1."""

    def __init__(self, **options: Any) -> None:
        """Make a console; see rich's for options. What is no terminal has no width: nothing is folded there."""
        super().__init__(**options)
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = _NO_WIDTH

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught."""
        raise

    @property
    def is_unicode(self) -> bool:
        """Say whether it can print every character."""
        return self.encoding.lower().startswith("utf")


def print_anything() -> None:
    """Let nothing fail over a character that the output cannot encode: it is printed as its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def plain(text: str) -> str:
    """Return a text with our own signs as ASCII."""
    return text.translate(_PLAIN)


def output_goes_nowhere() -> None:
    """Send what is still in the output's buffer where it can no longer fail."""
    with suppress(OSError, ValueError):  # the output of a test is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
