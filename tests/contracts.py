"""The JSON schemas of docs/contracts, to test against."""

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

_FOLDER = Path(__file__).parents[1] / "docs" / "contracts"


def violations(name: str, content: object) -> list[str]:
    """Return what a document violates of a contract, by the schema's file name without its ending."""
    # A round trip through JSON: what Lambda returns is JSON, and tuples are not.
    document = json.loads(json.dumps(content))
    return [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(document)]


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((_FOLDER / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
