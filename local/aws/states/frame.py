"""Where an execution is. A redrive continues from here, so nothing of it is on the stack."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Frame:
    """One walk through a set of states: the machine's own, or one Map iteration or Parallel branch.

    Args:
        states: the states by name.
        name: the state to execute, or in execution.
        data: its input; after the last state, the output.
        variables: what Assign set so far.
        item: for a Map iteration, `{"Index": ..., "Value": ...}`.
    """

    states: Mapping[str, Any]
    name: str
    data: Any
    variables: dict[str, Any] = field(default_factory=dict)
    item: dict[str, Any] | None = None
    entered: bool = False
    done: bool = False
    inner: "list[Frame] | None" = None  # iterations or branches of the state in execution
    last_event: int = 0

    def inside(self, processor: Mapping[str, Any], data: Any, item: dict[str, Any] | None = None) -> "Frame":
        """A frame for an iteration or a branch of this state. It sees this frame's variables; its own stay inside."""
        variables = copy.deepcopy(self.variables)
        return Frame(
            processor["States"], processor["StartAt"], copy.deepcopy(data), variables, item, last_event=self.last_event
        )

    def leave(self, following: str | None, output: Any) -> None:
        """Leave the state in execution."""
        self.data, self.entered, self.inner = output, False, None
        if following is None:
            self.done = True
        else:
            self.name = following
