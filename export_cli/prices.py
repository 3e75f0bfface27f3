"""List prices: one data file with its date and region; a file of one's own may replace any of them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from export_runtime.text import shown

from export_cli.errors import InvalidOptionError

ABOUT = ("source", "date", "region", "currency")


@dataclass(frozen=True)
class Prices:
    """What things cost, in ``about["currency"]``, and where and when that was written down."""

    of: Mapping[str, float]
    about: Mapping[str, str]


def read_prices(own: Path | None) -> Prices:
    """Return the prices of the data file, replaced by those of a file of one's own.

    Args:
        own: JSON with any of the names of prices.json; None: no such file.

    Raises:
        InvalidOptionError: the file is not readable, or has a name or value that is not allowed.
    """
    content = json.loads(files(__package__).joinpath("prices.json").read_text(encoding="utf-8"))
    content |= _own(own, content) if own else {}
    about = {name: str(content.pop(name)) for name in ABOUT}
    return Prices(content, about)


def _own(file: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidOptionError(f"The prices in {file} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise InvalidOptionError(f"The prices in {file} are {shown(content)}; allowed is a JSON object.")
    wrong = [name for name, value in content.items() if not (name in known and _fits(name, value))]
    if wrong:
        raise InvalidOptionError(
            f"The prices in {file} have {', '.join(map(shown, wrong))}, which is not a name of prices.json "
            f"({', '.join(known)}) or not a number of 0 or more."
        )
    return {"source": str(file), **content}


def _fits(name: str, value: object) -> bool:
    if name in ABOUT:
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0
