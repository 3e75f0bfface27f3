"""One stack for all scenarios, set anew for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import canary
from local.console import Progress
from local.faults import matrix, stage
from local.faults.scene import Scene
from local.faults.stage import Stage
from local.paths import stack_paths


@pytest.fixture(scope="session")
def running_stage() -> Iterator[Stage]:
    """The stack, with one COMPLETE export: whatever fails later must leave latest.json at that one."""
    with stage.running(stack_paths("faults"), Progress()) as running, canary.watched(running.pipeline):
        with Scene(running) as first:
            first.start()
            first.must_complete()
        yield running


@pytest.fixture
def scene(running_stage: Stage, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A scenario, which ends as a row of the matrix: its fault is the test's docstring, its place the module's."""
    with Scene(running_stage) as made:
        yield made
    where = Path(request.node.path).stem.removeprefix("test_").partition("_")[0].capitalize()
    chosen = f" ({request.node.callspec.id})" if hasattr(request.node, "callspec") else ""
    fault = request.function.__doc__.rstrip(".") + chosen
    seen = made.judged[0] if made.judged else None
    request.node.user_properties.append((matrix.PROPERTY, matrix.row(where, fault, seen)))
