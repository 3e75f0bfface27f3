"""One stack for all scenarios, set anew for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import canary
from local.console import Progress
from local.fault_matrix import faulted_stack as faulted
from local.fault_matrix import matrix
from local.fault_matrix.faulted_stack import FaultedStack
from local.fault_matrix.scenario import Scenario
from local.paths import stack_paths


@pytest.fixture(scope="session")
def faulted_stack() -> Iterator[FaultedStack]:
    """The stack, with one COMPLETE export: whatever fails later must leave latest.json at that one."""
    with faulted.running(stack_paths("faults"), Progress()) as running, canary.watched(running.pipeline):
        with Scenario(running) as first:
            first.start()
            first.must_complete()
        yield running


@pytest.fixture
def scenario(faulted_stack: FaultedStack, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """A scenario, which ends as a row of the matrix: its fault is the test's docstring, its place the module's."""
    with Scenario(faulted_stack) as made:
        yield made
    where = Path(request.node.path).stem.removeprefix("test_").partition("_")[0].capitalize()
    chosen = f" ({request.node.callspec.id})" if hasattr(request.node, "callspec") else ""
    fault = request.function.__doc__.rstrip(".") + chosen
    seen = made.judged[0] if made.judged else None
    request.node.user_properties.append((matrix.PROPERTY, matrix.row(where, fault, seen)))
