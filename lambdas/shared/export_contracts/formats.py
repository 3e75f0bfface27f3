"""Versions of manifest and summary (docs/contracts/README.md): what is written now, and what is still read."""

FORMAT_VERSION = 2
READABLE = (1, 2)
VERDICT_FORMAT_VERSION = 1
"""of the event that tells of a verdict; nothing of this project reads it"""


def is_readable(version: object) -> bool:
    """Return whether a ``format_version`` is one of those that are read."""
    # true equals 1 in Python
    return version in READABLE and not isinstance(version, bool)
