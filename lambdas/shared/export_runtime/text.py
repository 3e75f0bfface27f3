"""Foreign text made safe for one line of a log, a message or a mail."""

import re
import unicodedata

# What a database driver or a URL may carry along. The rest of the text stays readable.
_VALUE = r"""("[^"]*"|'[^']*'|[^\s,;&]+)"""
_SECRETS = (
    (re.compile(r"(://[^\s:/@]*):[^\s@]+@"), r"\1:***@"),
    # Not after a colon: that is how an ARN names a secret.
    (re.compile(rf"""(?i)(?<!:)\b(password|passwd|pwd|secret|token)(["']?\s*[=:]\s*){_VALUE}"""), r"\1\2***"),
)


def one_line(text: str, limit: int) -> str:
    """Return foreign text as one printable line without credentials.

    Control, format and line separator characters (Unicode categories C* and Zl, Zp) become blanks: with them a table
    name or an error text could forge lines of a mail or reverse what is displayed.

    Args:
        text: anything.
        limit: longest result in characters; what is cut is marked by " ...".
    """
    printable = "".join(" " if _breaks_the_line(character) else character for character in text[: limit * 4])
    line = " ".join(printable.split())
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line if len(line) <= limit else line[: limit - 4] + " ..."


def ascii_line(text: str, limit: int) -> str:
    """Return foreign text as ``one_line`` does, with ``?`` for what is not ASCII."""
    return one_line(text, limit).encode("ascii", "replace").decode("ascii")


def shown(value: object) -> str:
    """Return a value as it is quoted in an error message."""
    return one_line(repr(value), 80)


def _breaks_the_line(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("C") or category in ("Zl", "Zp")
