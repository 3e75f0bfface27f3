"""What the holder of the snapshot tells of the window, and who believes it."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock

import pytest
from metadata_export import shared_window
from metadata_export.errors import SourceError, StorageError, TransientSourceError
from metadata_export.indexes import Indexes
from metadata_export.run_set import run_set
from metadata_export.selected_runs import SelectedRuns
from metadata_export.shared_window import WINDOW, SharedWindow
from metadata_export.snapshot import Claim, Party, SharedSnapshot, Snapshot
from metadata_export.storage import Store
from metadata_export.window import Window

from tests.contract_examples import Example, examples
from tests.contracts import violations
from tests.unit.glue.conftest import catalog, table

CUTOFF = datetime(2026, 11, 11, 14, 30, 22, tzinfo=UTC)
EXPORT = "20261211T143022Z"
CLAIM = Claim("jr_1", "runs", "00000003-0000001B-1", "740:745:740,742")
LIVE = catalog(table("dag_run", "id! updated_at@"))
OWN = SelectedRuns(run_set([1], "integer"), 1, False, ())
VALID, INVALID = examples("selected_runs", "valid"), examples("selected_runs", "invalid")


class Finder:
    """Finds runs, and counts how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: SelectedRuns | Exception = OWN) -> None:
        self.found, self.final = found, list[bool]()
        monkeypatch.setattr(shared_window, "find_selected_runs", self)

    def __call__(self, *_: object, final: bool = True) -> SelectedRuns:
        self.final.append(final)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def shared(
    store: Store,
    role: str,
    *,
    group: str = "tasks",
    ended: Callable[[], frozenset[str]] = frozenset,
    sleep: Callable[[float], None] = lambda seconds: None,
) -> SharedWindow:
    party = Party(group, ("runs", "tasks"), "jr_1" if role == "claimed" else "jr_2", "runs/")
    snapshot = Snapshot("mine", role, "jr_1", None, None if role == "own" else CLAIM)  # type: ignore[arg-type]
    return SharedWindow(EXPORT, SharedSnapshot(party, store), snapshot, ended, sleep)


def decide(
    window: SharedWindow, *, needed: bool = True, cutoff: datetime | None = CUTOFF, connection: Any = None
) -> SelectedRuns | None:
    return window.decide(connection or MagicMock(), Window(LIVE, {"dag_run": "run"}, cutoff), Indexes(), needed=needed)


def told(store: Store) -> Any:
    return store.get_json(f"runs/{WINDOW}")


def test_what_the_holder_finds_keeps_the_contract_and_is_what_the_others_are_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder(monkeypatch, SelectedRuns(run_set(range(-5, 99_000), "bigint"), 123_456, True, ("xcom",)))
    first = decide(shared(store, "claimed", group="runs"))
    second = decide(shared(store, "imported"))
    assert first == second == finder.found
    assert finder.final == [True]
    assert violations("selected_runs", told(store)) == []


def test_a_holder_without_such_tables_finds_the_runs_for_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder(monkeypatch)
    assert decide(shared(store, "claimed"), needed=False) is None
    assert decide(shared(store, "imported")) == OWN
    assert finder.final == [False]


@pytest.mark.parametrize("example", [each for each in VALID if each.reading is not None], ids=str)
def test_a_valid_document_is_believed(store: Store, monkeypatch: pytest.MonkeyPatch, example: Example) -> None:
    finder = Finder(monkeypatch)
    store.put_json(f"runs/{WINDOW}", example.document)
    found = decide(shared(store, "imported"))
    assert found is not None
    assert found.runs is not None
    reading = {
        "ids": list(found.runs.ids), "total": found.total,
        "early_runs": found.early, "unread_evidence": list(found.unread),
    }  # fmt: skip
    assert reading == example.reading
    assert finder.final == []


@pytest.mark.parametrize("example", [*INVALID, *(each for each in VALID if each.reading is None)], ids=str)
def test_what_is_damaged_or_of_another_snapshot_is_not_believed(
    store: Store, monkeypatch: pytest.MonkeyPatch, example: Example
) -> None:
    finder = Finder(monkeypatch)
    store.put(f"runs/{WINDOW}", example.text.encode(), "application/json")
    assert decide(shared(store, "imported")) == OWN
    assert finder.final == [True]


@pytest.mark.parametrize("role", ["imported", "claimed", "own"])
@pytest.mark.parametrize(("needed", "cutoff"), [(False, CUTOFF), (True, None)], ids=["no such table", "no window"])
def test_who_does_not_need_the_runs_neither_waits_nor_looks(
    store: Store, monkeypatch: pytest.MonkeyPatch, role: str, needed: bool, cutoff: datetime | None
) -> None:
    finder = Finder(monkeypatch)
    waited: list[float] = []
    assert decide(shared(store, role, sleep=waited.append), needed=needed, cutoff=cutoff) is None
    assert waited == []
    assert finder.final == ([False] if role == "claimed" and cutoff else [])


def test_who_reads_a_snapshot_of_its_own_asks_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = Finder(monkeypatch)
    store.put_json(f"runs/{WINDOW}", VALID[0].document)
    assert decide(shared(store, "own")) == OWN
    assert finder.final == [True]


def test_who_reads_the_shared_snapshot_waits_for_the_holder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = Finder(monkeypatch)
    asked, written = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        asked.set()
        written.wait(20)

    def tell() -> None:
        asked.wait(20)
        store.put_json(f"runs/{WINDOW}", VALID[0].document)
        written.set()

    thread = threading.Thread(target=tell)
    thread.start()
    found = decide(shared(store, "imported", sleep=sleep))
    thread.join()
    assert found is not None
    assert found.total == VALID[0].reading["total"]
    assert finder.final == []


@pytest.mark.parametrize("why", ["its run has ended", "it has announced that it fails", "the bound has passed"])
def test_a_holder_that_tells_nothing_is_not_waited_for_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    finder = Finder(monkeypatch)
    waited: list[float] = []
    if why == "it has announced that it fails":
        SharedSnapshot(Party("runs", ("runs", "tasks"), "jr_1", "runs/"), store).announce("failed")
    if why == "the bound has passed":
        monkeypatch.setattr(shared_window, "WAIT_SECONDS", 20.0)
    ended = frozenset({"runs"} if why == "its run has ended" else {"tasks"})
    assert decide(shared(store, "imported", ended=lambda: ended, sleep=waited.append)) == OWN
    assert finder.final == [True]
    assert sum(waited) == (20.0 if why == "the bound has passed" else 4.5)


def test_another_run_of_the_holder_s_group_that_failed_is_not_the_holder_and_the_snapshot_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_window, "WAIT_SECONDS", 20.0)
    Finder(monkeypatch)
    SharedSnapshot(Party("runs", ("runs", "tasks"), "jr_0", "runs/"), store).announce("failed")
    waited: list[float] = []
    connection = MagicMock()
    decide(shared(store, "imported", sleep=waited.append), connection=connection)
    assert sum(waited) == 20.0
    # AND the transaction meanwhile is never idle for long
    assert [call.args for call in connection.execute.call_args_list] == [("SELECT 1",)] * 4


@pytest.mark.parametrize(
    ("error", "needed", "raised"),
    [
        (SourceError("cannot look: locked"), True, True),
        (SourceError("cannot look: locked"), False, False),
        (TransientSourceError("cannot look: lost"), False, True),
    ],
    ids=["it needs them", "it does not", "its connection is lost"],
)
def test_a_holder_that_cannot_find_the_runs_lets_the_others_look_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: SourceError, needed: bool, raised: bool
) -> None:
    finder = Finder(monkeypatch, error)
    if raised:
        with pytest.raises(SourceError, match="cannot look"):
            decide(shared(store, "claimed", group="runs"), needed=needed)
    else:
        assert decide(shared(store, "claimed", group="runs"), needed=needed) is None
    assert violations("selected_runs", told(store)) == []
    finder.found = OWN
    waited: list[float] = []
    assert decide(shared(store, "imported", sleep=waited.append)) == OWN
    assert waited == []


def test_runs_that_cannot_be_read_by_anybody_are_told_as_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder(monkeypatch, SelectedRuns(None, 0, True, ("dag_run",), "permission denied"))
    assert decide(shared(store, "claimed", group="runs")) == finder.found
    assert violations("selected_runs", told(store)) == []
    assert json.dumps(told(store)).count("permission denied") == 1


def test_a_window_that_cannot_be_told_costs_the_holder_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Finder(monkeypatch)
    monkeypatch.setattr(Store, "put_json", MagicMock(side_effect=StorageError("S3 refuses")))
    assert decide(shared(store, "claimed", group="runs")) == OWN
