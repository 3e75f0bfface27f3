"""Groups that are exported while somebody writes show one moment of the database, or say that they do not."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.completeness.databases import CHOSEN, Databases
from tests.integration.completeness.engine import Aws, Engine, Export, group_arguments
from tests.integration.completeness.write_load import PREFIX, TASKS, TOKENS, Writer
from tests.waiting import wait_until

BOTH_ENDS = tuple(dict.fromkeys((CHOSEN[0], CHOSEN[-1])))
EXPORTS = 2  # at least
TRANSACTIONS = 42  # that must have been written meanwhile


@pytest.fixture(scope="module", params=BOTH_ENDS)
def url(request: pytest.FixtureRequest, databases: Databases) -> str:
    return databases.aged(request.param)[0]


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    with Writer(url) as running:
        yield running


def test_given_write_load_when_all_groups_are_exported_then_every_invariant_holds_over_the_files(
    url: str, writer: Writer, aws: Aws, engine: Engine
) -> None:
    connection = aws.connect_to(url)
    moments = []
    before = writer.transactions
    # On a machine that is busy with other things the writer gets less done beside one export.
    while len(moments) < EXPORTS or writer.transactions - before < TRANSACTIONS:
        written = writer.transactions
        export = engine.export(group_arguments(connection))
        assert writer.transactions > written, "the writer has ended"
        assert {manifest["consistency"] for manifest in export.manifests.values()} == {"snapshot"}
        assert broken_invariants(export) == {}
        moments.append(frozenset(_loaded(export, "dag_run", "run_id")))

    assert len(set(moments)) == len(moments)


def test_given_write_load_when_a_group_comes_too_late_for_the_snapshot_then_its_manifest_says_so(
    url: str, writer: Writer, aws: Aws, engine: Engine
) -> None:
    arguments = group_arguments(aws.connect_to(url), only=["runs", "tasks"], SNAPSHOT_HOLD_SECONDS="0")
    first = engine.export({"runs": arguments["runs"]})
    enough = writer.transactions + 50
    wait_until(lambda: writer.transactions >= enough, f"{enough} transactions")
    second = engine.export({"tasks": arguments["tasks"]})

    assert first.manifests["runs"]["consistency"] == "snapshot"
    assert second.manifests["tasks"]["consistency"] == "per-group"
    assert first.manifests["runs"]["job_run_id"] in second.manifests["tasks"]["snapshot"]["reason"]
    # The same invariants do see the difference between two moments.
    assert broken_invariants(Export({**first.manifests, **second.manifests}, first.s3)) != {}


def broken_invariants(export: Export) -> dict[str, object]:
    """Return what does not hold of the files though it holds at every moment of the database."""
    runs = Counter(_loaded(export, "dag_run", "run_id"))
    expected = dict.fromkeys(runs, TASKS)
    found: dict[str, object] = {}
    if not runs or max(runs.values()) > 1:
        found["runs"] = runs
    for table in ("task_instance", "xcom"):
        of_runs = Counter(_loaded(export, table, "run_id"))
        if of_runs != expected:
            found[table] = (of_runs - Counter(expected), Counter(expected) - of_runs)
    if "log" in export.tables and sorted(_loaded(export, "log", "extra")) != sorted(runs):
        found["log"] = set(_loaded(export, "log", "extra")) ^ set(runs)
    if "variable" in export.tables:
        tokens = [*_loaded(export, "variable", "key"), *_loaded(export, "import_error", "filename")]
        if sorted(tokens) != sorted(f"{PREFIX}{number}" for number in range(TOKENS)):
            found["tokens"] = Counter(tokens)
    return found


def _loaded(export: Export, table: str, column: str) -> list[str]:
    """Return the values of a column in the rows of the writer."""
    rows = csv.DictReader(io.StringIO(export.csv(table).decode(), newline=""))
    return [row[column] for row in rows if row[column].startswith(PREFIX)]
