"""Numbers as people read them: 1,234,567 rows, 12.3 MB, 3 min 20 s."""

import math

_SIZES = ("kB", "MB", "GB", "TB", "PB", "EB")
_COUNTS = ("thousand", "million", "billion", "trillion")


def count(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``1 table``, ``2,000 tables``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def short_count(number: int) -> str:
    """Return a whole number in a bounded space: in full below a billion, rounded from there on."""
    if abs(number) < 1_000_000_000:
        return count(number)
    return _scaled(number, _COUNTS)


def size(number: int) -> str:
    """Return bytes in decimal units (1 kB is 1,000 bytes), as S3's bill and most consoles do."""
    return f"{number:,} B" if abs(number) < 1000 else _scaled(number, _SIZES)


def duration(seconds: float) -> str:
    """Return seconds in the two units that matter: ``0.04 s``, ``12.3 s``, ``3 min 20 s``, ``3 d 4 h``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit:,} {name} {rest} {smaller_name}" if rest else f"{whole // unit:,} {name}"
    return f"{whole} s"


def _scaled(number: int, units: tuple[str, ...]) -> str:
    # By the number of digits: whole numbers have no upper limit, floats do.
    index = min((len(str(abs(number))) - 1) // 3, len(units))
    whole = abs(number) // 1000**index
    if whole > 999_999:
        return f"over 999,999 {units[-1]}"
    value = f"{number / 1000**index:.3g}" if whole < 999 else f"{number // 1000**index:,}"
    return f"{value} {units[index - 1]}"
