"""Reads the fields of a JSON document, each of the type that its contract says.

What is not readable is refused in one line: which field, what it is, and what is allowed. A field that nobody asks for
is left alone: a version that adds one need not be a new format.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn, TypeVar

from export_runtime.errors import TerminalError
from export_runtime.text import one_line, shown

from export_contracts.formats import READABLE, is_readable
from export_contracts.layout import export_id, started_at

T = TypeVar("T")
Default = TypeVar("Default")
Reader = Callable[[object, str], T]
"""takes a value and where it stands, and returns it as what it has to be"""


class DocumentError(TerminalError):
    """A document is not what its contract says. The message is a part of a sentence: it does not name the document."""


class Fields:
    """The fields of a JSON object."""

    def __init__(self, content: object, where: str = "") -> None:
        """Read a value that stands somewhere, or a whole document.

        Raises:
            DocumentError: it is no JSON object.
        """
        if not isinstance(content, dict):
            refuse(where or "it", content, "a JSON object")
        self._content: Mapping[str, Any] = content
        self._where = f"{where}." if where else ""

    def required(self, name: str, reader: Reader[T]) -> T:
        """Return a field.

        Raises:
            DocumentError: it is missing, or is not what the reader allows.
        """
        if name not in self._content:
            raise DocumentError(f"it lacks {self._where}{name}")
        return reader(self._content[name], f"{self._where}{name}")

    def optional(self, name: str, reader: Reader[T], missing: Default) -> T | Default:
        """Return a field, or what a missing one is read as.

        Raises:
            DocumentError: it is there, and is not what the reader allows.
        """
        return self.required(name, reader) if name in self._content else missing

    def or_else(self, **missing: object) -> "Fields":
        """Return these fields, and for those that are missing what they are read as."""
        return Fields({**missing, **self._content}, self._where.removesuffix("."))

    def allow_no_others(self, *names: str) -> None:
        """Refuse fields of other names, where ignoring an unknown one would be a mistake.

        Raises:
            DocumentError: there are some.
        """
        if others := sorted(self._content.keys() - set(names)):
            raise DocumentError(f"it has {self._where}{one_line(str(others[0]), 80)}; allowed are {', '.join(names)}")


def refuse(where: str, value: object, allowed: str) -> NoReturn:
    """Refuse a value.

    Raises:
        DocumentError: always.
    """
    raise DocumentError(f"{where} is {shown(value)}; allowed is {allowed}")


def parse(body: bytes) -> object:
    """Return the value of a JSON text.

    Raises:
        DocumentError: it is none. Neither are NaN and Infinity, which Python would read (RFC 8259, section 6).
    """
    try:
        return json.loads(body, parse_constant=lambda name: refuse("a number", name, "a finite one"))
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"it is not JSON (truncated after {len(body)} bytes?)") from error


def to_json(value: object) -> Any:
    """Return a value of a document as JSON has it: an object for a dataclass, a list for a tuple."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_json(each) for name, each in value.items()}
    return [to_json(each) for each in value] if isinstance(value, tuple) else value


def text(value: object, where: str) -> str:
    """Read a text."""
    if not isinstance(value, str) or not _is_writable(value):
        refuse(where, value, "a text")
    return value


def filled(value: object, where: str) -> str:
    """Read a text that is not empty."""
    if not text(value, where):
        refuse(where, value, "a text that is not empty")
    return text(value, where)


def whole(value: object, where: str) -> int:
    """Read a count or a size."""
    # bool is a subclass of int
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        refuse(where, value, "a whole number of 0 or more")
    return value


def integer(value: object, where: str) -> int:
    """Read a whole number, also one below zero."""
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(where, value, "a whole number")
    return value


def number(value: object, where: str) -> float:
    """Read a finite number; it may be below zero, as a duration is when clocks differ."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not _is_finite(value):
        refuse(where, value, "a finite number")
    return value


def truth(value: object, where: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        refuse(where, value, "true or false")
    return value


def identifier(value: object, where: str) -> str:
    """Read the id of an export."""
    try:
        started = started_at(value) if isinstance(value, str) else None
    except ValueError:
        started = None
    # strptime takes shorter numbers too
    if started is None or export_id(started) != value:
        refuse(where, value, "a time in UTC such as 20261211T143022Z")
    return export_id(started)


def format_version(value: object, where: str) -> int:
    """Read the version of a document's format. One that is not known is not guessed at."""
    if not isinstance(value, int) or not is_readable(value):
        refuse(where, value, " or ".join(map(str, READABLE)))
    return value


def one_of(*allowed: str) -> Reader[str]:
    """Return a reader of one of these texts."""

    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            refuse(where, value, " or ".join(allowed))
        return value

    return read


def or_null(reader: Reader[T]) -> Reader[T | None]:
    """Return a reader that takes null too."""
    return lambda value, where: None if value is None else reader(value, where)


def list_of(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """Return a reader of a list."""

    def read(value: object, where: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            refuse(where, value, "a list")
        return tuple(reader(item, f"{where}[{place}]") for place, item in enumerate(value))

    return read


def mapping_of(reader: Reader[T]) -> Reader[dict[str, T]]:
    """Return a reader of a JSON object whose keys are names."""

    def read(value: object, where: str) -> dict[str, T]:
        if not isinstance(value, dict):
            refuse(where, value, "a JSON object")
        return {
            text(key, f"a name in {where}"): reader(item, f"{where}.{one_line(key, 80)}") for key, item in value.items()
        }

    return read


names = list_of(text)
names_by_name = mapping_of(names)
texts_by_name = mapping_of(text)
counts_by_name = mapping_of(whole)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _is_writable(value: str) -> bool:
    """Say whether it is Unicode; JSON can also escape half of a character, which no file can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
