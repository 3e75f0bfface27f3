"""Environment variables of a function: present and well-formed, or one clear error. Nothing has a default here.

The template has the defaults, and sets every variable; if one is missing, the template is not the one of this code.
"""

from collections.abc import Mapping

from export_runtime.errors import ConfigurationError
from export_runtime.text import shown


def required(variables: Mapping[str, str], name: str) -> str:
    """Return a variable.

    Raises:
        ConfigurationError: it is missing or empty.
    """
    return _set(variables, name, bool(variables.get(name)))


def may_be_empty(variables: Mapping[str, str], name: str) -> str:
    """Return a variable that the template sets to nothing where a parameter is empty.

    Lambda hands an empty variable on: its runtime drops none (``mergeCustomerEnvironmentVariables`` and ``asEnviron``
    of https://github.com/aws/aws-lambda-runtime-interface-emulator, which AWS derives from the service's own code).

    Raises:
        ConfigurationError: it is missing.
    """
    return _set(variables, name, name in variables)


def whole_number(variables: Mapping[str, str], name: str) -> int:
    """Return a variable as a number of 1 or more.

    Raises:
        ConfigurationError: it is missing or something else.
    """
    value = required(variables, name)
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ConfigurationError(f"Environment variable {name} is {shown(value)}; allowed is a number of 1 or more.")
    return int(value)


def _set(variables: Mapping[str, str], name: str, is_set: bool) -> str:
    if not is_set:
        raise ConfigurationError(f"Environment variable {name} is not set. The template sets it: deploy it again.")
    return variables[name]
