"""How the project recognises the Glue connection that it created: nothing else is ever rewritten or deleted."""

from collections.abc import Mapping
from typing import Any

# ConnectionProperties takes no names of ours (Glue has an enumeration), so the description carries the mark.
MARK = "Created by mwaa-metadata-export"


def is_ours(connection: Mapping[str, Any]) -> bool:
    """Say whether this project created a connection, as ``glue:GetConnection`` returns it."""
    return str(connection.get("Description", "")).startswith(MARK)
