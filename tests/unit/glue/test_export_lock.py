"""A run whose execution does not hold the lock: it yields to an export at work, and takes over from one that is not."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from metadata_export.arguments import Arguments, parse_arguments
from metadata_export.aws import glue_client
from metadata_export.errors import ExportError, OtherExportError
from metadata_export.export_lock import hold_lock
from metadata_export.storage import Store

from tests.contract_examples import Example, examples
from tests.contracts import violations
from tests.unit.glue.conftest import BUCKET
from tests.unit.glue.test_arguments import argv

EXPORT = "20261211T143022Z"
OTHER = "20261212T060000Z"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:env-metadata-export:old"
OTHER_ARN = "arn:aws:states:eu-central-1:123456789012:execution:env-metadata-export:new"
EXAMPLES = [*examples("export_lock", "valid"), *examples("export_lock", "invalid")]
KEY = "exports/env-backups/_runs/_current.json"
ARGUMENTS = replace(
    parse_arguments(argv(EXECUTION_ARN=ARN, EXPORT_ID=EXPORT, S3_OUTPUT_PATH=f"s3://{BUCKET}/exports/day/")),
    job_name="job",
)


@pytest.fixture
def glue(store: Store) -> Iterator[Stubber]:
    """A Glue that answers what the test says, and is asked nothing else."""
    with Stubber(glue_client("eu-central-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def run(state: str, export_id: str = OTHER) -> dict[str, Any]:
    arguments = {"--EXPORT_ID": export_id, "--EXECUTION_ARN": OTHER_ARN if export_id == OTHER else ARN}
    return {"StartedOn": datetime.now(UTC), "JobRunState": state, "Arguments": arguments}


def runs(stub: Stubber, *found: dict[str, Any]) -> None:
    """Let Glue list these runs next."""
    stub.add_response("get_job_runs", {"JobRuns": list(found)}, {"JobName": "job", "MaxResults": ANY})


def lock(store: Store, content: object) -> None:
    store.put_json(KEY, content)


def hold(store: Store, stub: Stubber, arguments: Arguments = ARGUMENTS) -> None:
    hold_lock(arguments, store, stub.client)


def test_given_this_execution_holds_the_lock_then_glue_is_not_asked(store: Store, glue: Stubber) -> None:
    lock(store, {"execution_arn": ARN, "export_id": EXPORT})
    hold(store, glue)


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "STOPPING", "WAITING"])
def test_given_another_export_at_work_then_the_run_fails_with_one_line_that_says_whose(
    store: Store, glue: Stubber, state: str
) -> None:
    lock(store, {"execution_arn": OTHER_ARN, "export_id": OTHER})
    runs(glue, run("RUNNING", EXPORT), run(state))
    with pytest.raises(OtherExportError) as caught:
        hold(store, glue)
    expected = f"another export ({OTHER}, {OTHER_ARN}) is running: redrive this one when it has ended"
    assert str(caught.value) == expected
    assert store.get_json(KEY)["execution_arn"] == OTHER_ARN


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"])
def test_given_another_export_that_has_ended_then_the_lock_is_taken_over(
    store: Store, glue: Stubber, state: str
) -> None:
    asked = {"selection": {"include_tables": [], "exclude_tables": []}, "max_age_days": 30}
    lock(store, {"execution_arn": OTHER_ARN, "export_id": OTHER, **asked})
    runs(glue, run("RUNNING", EXPORT), run(state))
    hold(store, glue)
    assert store.get_json(KEY) == {"execution_arn": ARN, "export_id": EXPORT}, (
        "what the other was asked for is not ours"
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_given_a_lock_then_its_holder_is_whom_the_contract_says(store: Store, glue: Stubber, example: Example) -> None:
    """Glue cannot say whether another export runs: the error names the holder, if there is one."""
    store.put(KEY, example.text.encode())
    glue.add_client_error("get_job_runs", "ThrottlingException")
    held = example.reading
    owner = f"{held['export_id'] or 'unknown'}, {held['execution_arn']}" if held else "None"
    with pytest.raises(OtherExportError, match=rf"another export \({re.escape(owner)}\) holds the lock"):
        hold(store, glue)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if not each.reading], ids=str)
def test_given_a_lock_that_holds_nothing_then_it_is_taken(store: Store, glue: Stubber, example: Example) -> None:
    store.put(KEY, example.text.encode())
    runs(glue)
    hold(store, glue)
    assert store.get_json(KEY)["execution_arn"] == ARN
    assert violations("export_lock", store.get_json(KEY)) == []


def test_given_no_lock_then_it_is_taken(store: Store, glue: Stubber) -> None:
    runs(glue)
    hold(store, glue)
    assert store.get_json(KEY)["execution_arn"] == ARN


def test_given_a_sibling_is_faster_then_the_lock_is_this_executions_all_the_same(
    store: Store, glue: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(store, {"execution_arn": OTHER_ARN, "export_id": OTHER})
    runs(glue)
    write = Store.put_json_if_same

    def sibling_first(self: Store, key: str, document: object, etag: str) -> bool:
        self.put_json(key, {"execution_arn": ARN, "export_id": EXPORT})
        return write(self, key, document, etag)

    monkeypatch.setattr(Store, "put_json_if_same", sibling_first)
    hold(store, glue)
    assert store.get_json(KEY)["execution_arn"] == ARN


def test_given_the_lock_never_stands_still_then_trying_ends(
    store: Store, glue: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(store, {"execution_arn": OTHER_ARN, "export_id": OTHER})
    for _ in range(5):
        runs(glue)
    monkeypatch.setattr(Store, "put_json_if_same", lambda *_: False)
    with pytest.raises(ExportError, match=r"_current\.json was changed 5 times"):
        hold(store, glue)


def test_given_glue_does_not_answer_then_nobody_is_overtaken(store: Store, glue: Stubber) -> None:
    lock(store, {"execution_arn": OTHER_ARN, "export_id": OTHER})
    glue.add_client_error("get_job_runs", "ThrottlingException")
    with pytest.raises(OtherExportError, match=rf"{OTHER}.*ThrottlingException.*redrive this one when it has ended"):
        hold(store, glue)
    assert json.dumps(store.get_json(KEY)).count(OTHER_ARN) == 1


def test_given_no_state_machine_then_there_is_no_lock(store: Store, glue: Stubber) -> None:
    hold(store, glue, replace(ARGUMENTS, execution_arn=""))
    assert store.get_json(KEY) is None


def test_given_an_object_then_a_write_on_condition_needs_the_very_same(store: Store) -> None:
    store.put_json("x", 1)
    found = store.read("x")
    assert found is not None
    assert store.put_json_if_same("x", 2, found[1])
    assert not store.put_json_if_same("x", 3, found[1])
    assert not store.put_json_if_same("gone", 4, found[1])
    assert store.get_json("x") == 2
