"""Tidying up: in this order, and nothing keeps the alert back."""

import pytest
from export_runtime.errors import AwsCallError
from report_failure.glue_runs import Stopped
from report_failure.objects import Remains
from report_failure.report import Report, tidy_up

from tests.unit.lambdas.report_failure.cases import execution

ALL = ["is_running", "stop", "is_running", "abort_uploads", "remains", "last_state"]
REMAINS = Remains(0, None, "s3://x", None)


class Scripted:
    """Stands for executions, runs and objects; says what was called, and breaks where told."""

    def __init__(
        self, breaking: dict[str, Exception] | None = None, redriven: tuple[bool, bool] = (False, False)
    ) -> None:
        self.calls: list[str] = []
        self._breaking = breaking or {}
        self._redriven = iter(redriven)

    def _call(self, name: str, answer: object):
        self.calls.append(name)
        if name in self._breaking:
            raise self._breaking[name]
        return answer

    def is_running(self, arn: str):
        return self._call("is_running", next(self._redriven))

    def last_state(self, arn: str):
        return self._call("last_state", "Prepare Connection")

    def stop(self, _execution, _patience):
        return self._call("stop", Stopped(stopped=("jr_1",)))

    def abort_uploads(self, _execution):
        return self._call("abort_uploads", 3)

    def remains(self, _execution):
        return self._call("remains", REMAINS)


def tidied(scripted: Scripted) -> Report:
    """Tidy up with everything scripted."""
    return tidy_up(execution(), scripted, scripted, scripted)


def test_given_a_failed_execution_then_runs_are_stopped_before_uploads_are_aborted():
    scripted = Scripted()
    assert tidied(scripted) == Report(Stopped(stopped=("jr_1",)), 3, REMAINS, "Prepare Connection", False, ())
    assert scripted.calls == ALL


def test_given_somebody_has_redriven_it_then_its_runs_and_uploads_are_left_alone():
    scripted = Scripted(redriven=(True, True))
    assert tidied(scripted).is_redriven
    assert scripted.calls == ["is_running", "remains", "last_state"]


def test_given_somebody_redrives_it_while_its_runs_end_then_the_uploads_of_the_new_runs_are_left_alone():
    scripted = Scripted(redriven=(False, True))
    assert tidied(scripted) == Report(Stopped(stopped=("jr_1",)), 0, REMAINS, "Prepare Connection", True)
    assert scripted.calls == ["is_running", "stop", "is_running", "remains", "last_state"]


def test_given_nobody_can_tell_whether_it_runs_then_its_runs_and_uploads_are_left_alone():
    scripted = Scripted({"is_running": AwsCallError("denied")})
    report = tidied(scripted)
    assert (report.problems, report.is_redriven) == (("denied",), False)
    assert scripted.calls == ["is_running", "remains", "last_state"]


@pytest.mark.parametrize("step", ["stop", "abort_uploads", "remains", "last_state"])
@pytest.mark.parametrize("error", [AwsCallError("Could not\ndo it"), KeyError("odd")], ids=["refused", "unexpected"])
def test_given_a_step_fails_then_it_is_named_and_the_others_are_done(step, error):
    scripted = Scripted({step: error})
    [problem] = tidied(scripted).problems
    assert problem == ("Could not do it" if isinstance(error, AwsCallError) else "unexpected KeyError('odd')")
    assert scripted.calls == ALL
