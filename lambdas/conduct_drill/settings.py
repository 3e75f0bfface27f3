"""What the template configures."""

from collections.abc import Mapping

from export_contracts.layout import Layout
from export_runtime.environment import required


def read_layout(variables: Mapping[str, str]) -> Layout:
    """Return where the exports are.

    Raises:
        ConfigurationError: a variable is missing.
    """
    return Layout(
        bucket=required(variables, "EXPORT_BUCKET"),
        base_prefix=required(variables, "BASE_PREFIX"),
        environment=required(variables, "ENVIRONMENT_NAME"),
    )
