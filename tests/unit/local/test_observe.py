"""What the local stack reads back of an execution."""

from pathlib import Path

import yaml

from local import observe

FLOW = Path(__file__).parents[3] / "state_machine" / "export.asl.yaml"


def test_given_the_flow_then_the_states_in_glue_are_its_maps_and_what_is_in_them() -> None:
    states = yaml.safe_load(FLOW.read_text())["States"]
    maps = {name: state for name, state in states.items() if state["Type"] == "Map"}
    inner = {name for state in maps.values() for name in state["ItemProcessor"]["States"]}
    assert maps.keys() | inner == observe.IN_GLUE


def test_given_executed_states_then_the_seconds_of_those_outside_glue_are_added() -> None:
    ran = [("Plan Export", 1.5), ("Export Table Groups", 60.0), ("Export Group", 59.0), ("Aggregate Results", 0.25)]
    states = [{"state": name, "seconds": seconds} for name, seconds in [*ran, ("Send Failure Alert", None)]]
    assert observe.seconds_outside_glue(states) == 1.75
