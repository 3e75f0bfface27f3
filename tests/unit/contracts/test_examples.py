"""The examples of docs/contracts and the schemas agree. Who reads or writes a document has tests of its own."""

from pathlib import Path

import pytest

from tests.contract_examples import FOLDER, Example, examples
from tests.contracts import violations

CONTRACTS = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "s3_layout")
VALID = [(contract, example) for contract in CONTRACTS for example in examples(contract, "valid")]
INVALID = [(contract, example) for contract in CONTRACTS for example in examples(contract, "invalid")]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_an_example_belongs_to_a_schema(contract: str) -> None:
    assert (Path(FOLDER).parent / f"{contract}.schema.json").is_file()


@pytest.mark.parametrize(("contract", "example"), VALID, ids=str)
def test_a_valid_example_keeps_the_contract(contract: str, example: Example) -> None:
    assert violations(contract, example.document) == []


@pytest.mark.parametrize(("contract", "example"), INVALID, ids=str)
def test_an_invalid_example_breaks_the_contract_unless_that_is_beyond_a_schema(contract: str, example: Example) -> None:
    assert bool(violations(contract, example.document)) is not example.beyond_schema
