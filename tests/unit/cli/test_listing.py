"""`list` and `show`."""

import gzip
import json
import os
import webbrowser
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from export_contracts.findings import FailedGroup
from export_contracts.layout import started_at
from export_contracts.summary import Selection

from tests.contract_examples import base
from tests.documents import of_format_1, summary
from tests.unit.cli.made import BUCKET, HOSTILE, LAYOUT


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Give the addresses that were opened in a browser."""
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: (addresses.append(address), True)[1])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return addresses


def test_given_no_export_then_list_says_so(made, run):
    result = run("list")
    assert result.code == 0
    assert result.out == "No export yet below s3://prod-exports/exports/prod-backups/.\n"
    assert run("list", "--json").json == []


def test_given_exports_then_list_has_the_newest_first_with_age_verdict_and_size(made, run):
    old = made.export(timedelta(days=400))
    new = made.export(timedelta(hours=3))
    lines = run("list").out.splitlines()
    assert lines[0].split() == ["export", "age", "verdict", "tables", "rows", "size", "took", "by", "scope"]
    assert lines[1].split()[:3] == [new.export_id, "3", "h"]
    assert lines[-1] == f"latest: {new.export_id}"
    assert "COMPLETE" in lines[1]
    assert "2,002" in lines[1]
    assert lines[2].split()[:3] == [old.export_id, "400", "d"]


def test_given_proofs_then_list_and_show_say_what_is_proven(made, run):
    good, bad, damaged = (made.export(timedelta(hours=hours)) for hours in (9, 6, 3))
    facts = base("proof") | {"export_id": good.export_id}
    wrong = facts | {
        "export_id": bad.export_id,
        "restorable": False,
        "problems": ["the table dag\x1b[31m is not there"],
    }
    for each, body in ((good, json.dumps(facts)), (bad, json.dumps(wrong)), (damaged, "{")):
        made.s3.put_object(Bucket=BUCKET, Key=LAYOUT.proof_key(each.export_id), Body=body.encode())

    assert f"{good.export_id} is proven restorable on 2026-12-13" in run("list").out
    assert "the content of 61 of 61 tables compared" in run("show", good.export_id).out
    shown = run("show", bad.export_id).out
    assert "NOT restorable when tried on 2026-12-13: the table dag" in shown
    assert "\x1b" not in shown
    assert f"not tried: mwaa-metadata-export prove {damaged.export_id} --record" in run("show", damaged.export_id).out


def test_given_a_limit_then_no_more_are_listed(made, run):
    for hours in range(1, 5):
        made.export(timedelta(hours=hours))
    assert len(run("list", "-n", "2", "--json").json) == 2


def test_given_an_incomplete_export_then_it_is_listed_and_not_latest(made, run):
    made.export(timedelta(hours=5))
    made.export(timedelta(hours=1), status="INCOMPLETE")
    newest, latest = run("list", "--json").json
    assert (newest["status"], newest["latest"]) == ("INCOMPLETE", False)
    assert (latest["status"], latest["latest"]) == ("COMPLETE", True)


ONE_TABLE = {"selection": Selection(("dag", HOSTILE))}


def test_given_a_partial_export_then_list_names_its_tables_and_age_and_it_is_not_latest(made, run):
    made.export(timedelta(hours=5))
    made.export(timedelta(hours=1), **ONE_TABLE, max_age_days=7, scope="partial", latest=False)
    partial, full = run("list", "--json").json
    assert (partial["scope"], partial["latest"], full["scope"], full["latest"]) == ("partial", False, "full", True)
    assert (partial["selection"], partial["max_age_days"]) == (
        {"include_tables": ["dag", HOSTILE], "exclude_tables": []},
        7,
    )
    lines = run("list").out.splitlines()
    assert "partial: only dag, x" in lines[1]
    assert "last 7 days" in " ".join(lines)
    assert lines[-1] == f"latest: {full['export_id']}"


@pytest.mark.parametrize("scope", [{}, {"scope": "full"}], ids=["format 1", "full by the parameters of that day"])
def test_given_latest_json_names_a_partial_export_then_latest_is_the_newest_full_one(made, run, scope):
    """An older version pointed latest.json to any COMPLETE export, and the parameters change."""
    full = made.export(timedelta(hours=5))
    made.export(timedelta(hours=1), **ONE_TABLE, **scope)
    assert run("show", "--json").json["export_id"] == full.export_id
    assert run("list").out.splitlines()[-1] == f"latest: {full.export_id}"
    assert full.export_id in run("verify").out


def parameters(fakes, **changes: str) -> None:
    """Give the stack these parameters too."""
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in changes.items()]
    fakes["cloudformation"].stacks["prod-metadata-export"]["Parameters"] += listed


def test_given_the_stack_asks_for_more_than_before_then_no_export_is_latest_and_the_message_says_why(made, fakes, run):
    made.export(scope="full")
    parameters(fakes, MaxAgeInDays="90")
    result = run("show")
    assert result.code == 4
    assert "covers what the stack asks for (all tables; last 90 days)" in result.err
    assert "which covers less: all tables; last 30 days" in result.err
    assert "latest: none. There is no COMPLETE export that covers" in run("list").out
    assert run("list", "--json").json[0]["scope"] == "partial"


def test_given_the_stack_has_tables_of_its_own_then_an_export_of_them_is_full(made, fakes, run):
    made.export(selection=Selection(("dag", "ünï")))
    parameters(fakes, IncludeTables='["dag", "\\u00fcn\\u00ef"]')
    assert run("list", "--json").json[0]["scope"] == "full"
    assert "only dag, ünï; last 30 days" in run("show").out


def test_given_no_stack_then_the_summarys_own_word_counts(made, run):
    where = ("-e", "prod", "--bucket", BUCKET)
    made.export(timedelta(hours=5), max_age_days=7, scope="full")
    made.export(timedelta(hours=1), **ONE_TABLE)
    assert [each["scope"] for each in run("list", "--json", *where).json] == ["partial", "full"]
    assert run("show", "--json", *where).json["max_age_days"] == 7


def test_given_a_partial_export_then_show_says_that_it_is_no_backup(made, run):
    made.export(**ONE_TABLE, latest=False)
    out = run("show", "newest").out
    assert "partial: only dag, x" in out
    assert "no backup of the environment" in out
    assert "no backup" not in (made.export(), run("show").out)[1]


def test_given_a_damaged_summary_then_it_is_listed_as_unknown_and_the_others_too(made, run):
    made.export(timedelta(hours=5))
    made.put(f"{LAYOUT.root}/2026/01/02/export_summary_030405.json.gz", b"no gzip")
    newest, damaged = run("list", "--json").json
    assert newest["status"] == "COMPLETE"
    assert (damaged["export_id"], damaged["status"], damaged["problem"]) == (
        "20260102T030405Z",
        "unknown",
        "it is not gzip (truncated after 7 bytes?)",
    )
    assert "it is not gzip" in run("list").out


def test_given_a_summary_of_format_1_then_it_is_read(made, run):
    new = made.export()
    made.put(LAYOUT.summary_key(new.started), gzip.compress(json.dumps(of_format_1(new)).encode()))
    assert [each["status"] for each in run("list", "--json").json] == ["COMPLETE"]
    assert run("show", new.export_id, "--json").json.items() >= of_format_1(new).items()
    assert run("verify", new.export_id).out.startswith("ok")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 3}, "format_version is 3; allowed is 1 or 2"),
        ({"format_version": True}, "format_version is True; allowed is 1 or 2"),
        ({"status": HOSTILE}, "allowed is COMPLETE or INCOMPLETE"),
        ({"details": None}, "details is None; allowed is a JSON object"),
        ({"total_rows": 1}, "total_rows is 1; allowed is what the details say: 3"),
        ({"uncatalogued_tables": ["\ud800"]}, "uncatalogued_tables[0] is"),
        ({"total_rows": float("nan")}, "a number is 'NaN'; allowed is a finite one"),
    ],
    ids=str,
)
def test_given_a_summary_that_is_none_then_nothing_is_guessed_and_the_others_are_listed_all_the_same(
    made, run, changes, said
):
    made.export(timedelta(hours=5))
    content = summary(export_id="20260102T030405Z").to_json() | changes
    made.put(LAYOUT.summary_key(started_at("20260102T030405Z")), gzip.compress(json.dumps(content).encode()))
    newest, damaged = run("list", "--json").json
    assert (newest["status"], damaged["status"]) == ("COMPLETE", "unknown")
    assert said in damaged["problem"]
    shown = run("show", "20260102T030405Z")
    assert shown.code == 1
    assert said in shown.err
    assert "\x1b" not in shown.err


def test_given_foreign_objects_in_the_bucket_then_they_are_no_exports(made, run):
    for key in (
        "notes.txt",
        "2026/notes.txt",
        "20x6/01/02/export_summary_030405.json.gz",
        "2026/01/02/export_summary_x.json.gz",
        "2026/13/01/export_summary_030405.json.gz",
        "2026/01/02/export_summary_999999.json.gz",
    ):
        made.put(f"{LAYOUT.root}/{key}", b"x")
    assert run("list", "--json").json == []


def test_given_an_export_then_show_has_facts_and_tables(made, run):
    summary = made.export()
    result = run("show")
    assert result.code == 0
    for fact in (
        "COMPLETE",
        summary.export_id,
        "Airflow 3.0.6",
        "2,002 rows",
        "1 min 32 s",
        "3 tables with 2,002 rows",
        f"s3://{BUCKET}/{LAYOUT.day_prefix(summary.started)}",
        "all tables; last 30 days",
        "dag_run",
        summary.execution_arn,
    ):
        assert fact in result.out, fact
    assert "and 1 table without a row" in result.out
    assert run("show", "--json").json == summary.to_json()


@pytest.mark.parametrize("reference", ["latest", "newest", None], ids=str)
def test_given_a_reference_then_show_finds_it(made, run, reference):
    complete = made.export(timedelta(hours=5))
    broken = made.export(timedelta(hours=1), status="INCOMPLETE")
    wanted = {"latest": complete, "newest": broken, None: complete}[reference]
    arguments = ["show", reference] if reference else ["show"]
    assert run(*arguments, "--json").json["export_id"] == wanted.export_id
    assert run("show", wanted.export_id, "--json").json == wanted.to_json()


@pytest.mark.parametrize(
    ("reference", "code"),
    [("yesterday", 2), ("20261301T000000Z", 2), ("20260101T000000Z", 4), ("../../etc", 2), (HOSTILE, 2), ("", 2)],
    ids=["a word", "no time", "not there", "a path", "hostile", "empty"],
)
def test_given_a_wrong_reference_then_it_is_refused(made, run, reference, code):
    result = run("show", reference)
    assert result.code == code
    assert "\x1b" not in result.err


def test_given_no_export_then_show_says_so(made, run):
    assert "There is no COMPLETE and full export yet" in run("show").err
    assert run("show", "newest").code == 4


def test_given_a_pointer_that_is_damaged_then_it_is_bad(made, run):
    made.export()
    made.put(LAYOUT.latest_key, b"{")
    assert run("show").code == 1
    assert "is not a pointer to an export" in run("list").out
    assert [export["latest"] for export in run("list", "--json").json] == [False]


def test_given_an_incomplete_export_then_show_says_what_is_missing_and_why(made, run):
    failed = FailedGroup("tasks", ("xcom",), {}, f"disk full {HOSTILE}", None)
    made.export(
        status="INCOMPLETE", failed_groups=(failed,), problems=("object x has 3 bytes",), uncatalogued_tables=(HOSTILE,)
    )
    out = run("show", "newest").out
    assert "Group tasks failed:" in out
    assert "Missing: xcom" in out
    assert "object x has 3 bytes" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_given_a_table_that_failed_then_show_names_its_error(made, run):
    failed = FailedGroup("tasks", ("xcom",), {"xcom": f"no permission {HOSTILE}"}, "1 of 9 tables", None)
    made.export(status="INCOMPLETE", failed_groups=(failed,))
    out = run("show", "newest").out
    assert "xcom: no permission" in out
    assert "Missing: xcom" in out
    assert "\x1b" not in out
    lines = out.splitlines()
    assert any(line.startswith("mwaa-metadata-export redrive 2") and line.endswith(" -e prod") for line in lines)
    assert "mwaa-metadata-export export -x xcom -e prod" in lines


def test_given_an_incomplete_export_of_long_ago_then_no_redrive_is_advised(made, run):
    made.export(timedelta(days=15), status="INCOMPLETE")
    out = run("show", "newest").out
    assert "AWS redrives an execution for 14 days" in out
    assert "export redrive" not in out


def test_given_open_then_the_report_is_opened_from_a_file(made, run, opened):
    summary = made.export()
    result = run("show", "--open")
    assert result.code == 0
    [address] = opened
    file = Path(unquote(urlparse(address).path))
    assert file.name == f"export_report_{summary.export_id}.html"
    assert file.read_text() == "<html>report</html>"


def test_given_reports_of_before_then_open_removes_them_and_nothing_else(made, run, opened, tmp_path: Path):
    old, others = tmp_path / "mwaa-metadata-export-old", tmp_path / "theirs"
    for folder in (old, others):
        folder.mkdir()
        os.utime(folder, (0, 0))
    made.export()
    run("show", "--open")
    run("show", "--open")
    assert (old.exists(), others.exists(), len(list(tmp_path.glob("mwaa-*")))) == (False, True, 2)


def test_given_open_and_no_report_then_it_says_so(made, run, opened):
    made.export(report=None)
    result = run("show", "--open")
    assert (result.code, opened) == (4, [])
    assert "has no report" in result.err


def test_given_masked_columns_then_show_says_so(made, run):
    made.export(masked_columns={"dag": ("note",)})
    assert "Masked, empty in every row: dag.note" in run("show").out


@pytest.mark.parametrize(("version", "said"), [(None, "not kept"), ("ab" * 16, f"kept, version {'ab' * 16}")])
def test_show_says_whether_the_fernet_key_of_an_export_is_kept(made, run, version, said):
    made.export(fernet_key_version=version)
    assert f"Fernet key {said}" in " ".join(run("show").out.split())
