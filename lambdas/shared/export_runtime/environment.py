"""Environment variables of a function: present and well-formed, or one clear error."""

from collections.abc import Mapping

from export_runtime.errors import ConfigurationError
from export_runtime.text import shown


def required(variables: Mapping[str, str], name: str) -> str:
    """Return a variable.

    Raises:
        ConfigurationError: it is missing or empty.
    """
    value = variables.get(name, "")
    if not value:
        raise ConfigurationError(f"Environment variable {name} is not set. The template sets it: deploy it again.")
    return value


def whole_number(variables: Mapping[str, str], name: str, default: int) -> int:
    """Return a variable as a number of 1 or more, or the default when it is not set.

    Raises:
        ConfigurationError: it is something else.
    """
    value = variables.get(name, str(default))
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ConfigurationError(f"Environment variable {name} is {shown(value)}; allowed is a number of 1 or more.")
    return int(value)
