"""Conduct Drill: which export is tried, and what becomes of its proof."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from conduct_drill import handler as entry
from conduct_drill.errors import ExportNotRestorableError, ExportUnreadableError, NoProofError
from export_contracts.layout import Layout
from export_contracts.proof import Proof
from export_contracts.proofs import newest_restorable, proven_age_days
from export_contracts.restore_plan import NotRestorableError
from export_runtime.errors import InvalidEventError

from tests import documents
from tests.contract_examples import base
from tests.contracts import violations
from tests.unit.lambdas.conftest import BUCKET
from tests.unit.template.definitions import variables

LAYOUT = Layout(BUCKET, "exports", "prod")
ID = documents.EXPORT_ID
NOW = datetime(2026, 12, 18, 12, tzinfo=UTC)
CONCLUDE = {"step": "conclude", "export_id": ID}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set what the template sets."""
    for name, value in {**variables("ConductDrillFunction"), "EXPORT_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)


def export(store, **changes):
    """Write an export's summary, and the pointer to it."""
    summary = documents.summary(**changes)
    key = LAYOUT.summary_key(summary.started)
    store.write(key, summary.to_bytes(), "application/gzip")
    store.write(LAYOUT.latest_key, documents.stored(documents.pointer(key)), "application/json")
    return key


def record(store, *problems: str, finished: datetime = NOW, identifier: str = ID) -> Proof:
    """Write a proof."""
    given = {"export_id": identifier, "finished_at": f"{finished:%Y-%m-%dT%H:%M:%SZ}"}
    document = base("proof") | given | {"problems": list(problems), "restorable": not problems}
    store.write(LAYOUT.proof_key(identifier), json.dumps(document).encode(), "application/json")
    return Proof.from_json(document)


def test_given_a_full_export_then_its_plan_is_written_and_the_answer_says_where(store, context):
    export(store, details=documents.of_rows({"dag": 3, "log": 5}))

    answer = entry.handler({"step": "choose"}, context)

    key = f"exports/prod-backups/_drills/{ID}.json"
    assert answer == {
        "found": True,
        "export_id": ID,
        "plan_uri": f"s3://{BUCKET}/{key}",
        "proof_uri": f"s3://{BUCKET}/exports/prod-backups/_proofs/{ID}.json",
    }
    plan = json.loads(store.read(key).body)
    assert violations("restore_plan", plan) == []
    assert ([table["name"] for table in plan["tables"]], plan["whole"]) == (["dag", "log"], True)


def test_given_no_full_export_then_there_is_nothing_to_try(store, context):
    assert entry.handler({"step": "choose"}, context)["found"] is False
    assert store.keys("") == ()


@pytest.mark.parametrize(
    ("pointer", "summary", "error", "said"),
    [
        (b"{", None, ExportUnreadableError, "cannot be tried"),
        (None, b"no gzip", ExportUnreadableError, "cannot be tried"),
        (None, b"", ExportUnreadableError, "is missing"),
        (None, documents.summary(status="INCOMPLETE").to_bytes(), NotRestorableError, "INCOMPLETE"),
    ],
    ids=["damaged pointer", "damaged summary", "no summary", "incomplete"],
)
def test_given_an_export_that_cannot_be_tried_then_it_says_so_and_nothing_is_written(
    store, s3, context, pointer, summary, error, said
):
    key = export(store)
    if summary == b"":
        s3.delete_object(Bucket=BUCKET, Key=key)
    elif summary:
        store.write(key, summary, "application/gzip")
    if pointer:
        store.write(LAYOUT.latest_key, pointer, "application/json")

    with pytest.raises(error, match=said):
        entry.handler({"step": "choose"}, context)

    assert not [key for key in store.keys("") if "_drills" in key]


def test_given_a_proof_when_concluded_then_it_is_returned_and_its_age_is_told(store, context, capsys):
    proof = record(store, finished=datetime.now(UTC) - timedelta(days=2))

    assert entry.handler(CONCLUDE, context) == proof.to_json()

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert line["ProvenRestorableAge"] == [pytest.approx(2, abs=0.01)]
    assert (line["environment"], line["service"]) == ("prod", "proof")


def test_given_a_trial_that_failed_when_concluded_then_what_is_wrong_is_named_and_the_age_is_told(
    store, context, capsys
):
    record(store, finished=datetime.now(UTC) - timedelta(days=9), identifier="20261201T143022Z")
    record(store, "the table log has 5 rows, the export recorded 6", *(f"number {n}" for n in range(5)))

    with pytest.raises(ExportNotRestorableError, match=r"the table log has 5 rows.*and 1 more\. Proof: s3://"):
        entry.handler(CONCLUDE, context)

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert line["ProvenRestorableAge"] == [pytest.approx(9, abs=0.01)]


@pytest.mark.parametrize("body", [None, b"{}"], ids=["none", "damaged"])
def test_given_no_proof_when_concluded_then_nothing_is_claimed(store, context, body):
    if body:
        store.write(LAYOUT.proof_key(ID), body, "application/json")
    with pytest.raises(NoProofError, match=LAYOUT.proof_key(ID)):
        entry.handler(CONCLUDE, context)


@pytest.mark.parametrize("event", [{}, {"step": "conclude"}, {"step": "delete", "export_id": ID}], ids=str)
def test_given_another_event_then_it_is_refused(aws, context, event):
    with pytest.raises(InvalidEventError, match="choose or conclude"):
        entry.handler(event, context)


def age(store) -> float | None:
    """Return the age of the newest proof."""
    return proven_age_days(store, LAYOUT.root, newest_restorable(store, LAYOUT.root), NOW)


def test_given_no_proof_then_the_age_is_counted_from_the_first_export(store):
    assert age(store) is None
    for key in ("2026/12/11/dag_1.csv.gz", "2026/12/08/dag_2.csv.gz", "2027/01/01/dag_3.csv.gz", "parquet/dag/x"):
        store.write(f"{LAYOUT.root}/{key}", b"", "application/gzip")
    record(store, "the table log is not there")
    assert age(store) == 10.5
